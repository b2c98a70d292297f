/** What a worker holds of the rooms it serves: warm copies, read from the store when first asked for or changed elsewhere. */
import { randomInt } from "node:crypto";
import { epochTag, hasRightIn, isHelpRoom, type Right, subjects } from "@parley/bus";
import { Refusal } from "@parley/protocol";
import type { MemberRecord, Role, RoomRecord, Store, Visibility } from "@parley/store";
import { createLane, type Lane } from "./append.ts";
import { shared } from "./shared.ts";

export interface RoomState extends Lane {
  readonly name: string;
  /** The name as JSON, for frames. */
  readonly nameJson: string;
  readonly tag: number;
  readonly subject: string;
  record: RoomRecord;
  /** Members with another role than the plain one, muted or banned. */
  exceptions: Map<string, MemberRecord>;
  /** Who is known to be a member, or not to be. */
  membership: Map<string, boolean>;
  memberCount: number;
  /** Somebody changed the room elsewhere: what is held of it must be read again. */
  stale: boolean;
  /** Edits and deletions of a room go one after another, so that a deletion misses no edit. */
  amending: Promise<unknown>;
}

export interface Access {
  role: Role;
  mutedUntilMs: number;
}

const hidden = "This room does not exist, or you may not see it";
export const forbidden = () => new Refusal("forbidden", hidden);

/** Refuses who has not this right in this room, before anything is said of the room: there or not, it answers alike. */
export function need(rights: string, right: Right, room: string): void {
  if (!hasRightIn(rights, right, room)) throw forbidden();
}

const maxWarm = 20_000;
const maxMembership = 10_000;

export interface RoomStates {
  /** The room if it is warm: without a turn of the event loop. */
  warm(name: string): RoomState | undefined;
  /** The room, or null where there is none. */
  load(name: string): Promise<RoomState | null>;
  /** The room; an absent one is made, public, where that is allowed, else refused as forbidden. */
  loadOrMake(name: string): Promise<RoomState>;
  make(
    name: string,
    settings: Partial<RoomRecord> & { visibility: Visibility },
  ): Promise<{ state: RoomState; created: boolean }>;
  /** What the user may do in the room; refuses as forbidden. Answers at once where it can. */
  access(state: RoomState, user: string, rights: string): Access | Promise<Access>;
  isMember(state: RoomState, user: string): Promise<boolean>;
  setMember(state: RoomState, user: string, member: boolean): void;
  changed(name: string): void;
  count(): number;
}

export function createRoomStates(store: Store, options: { roomsByUse: boolean; now?: () => number }): RoomStates {
  const now = options.now ?? Date.now;
  const states = new Map<string, RoomState>();
  const loading = new Map<string, Promise<RoomState | null>>();
  const making = new Map<string, Promise<RoomState>>();
  /** By room's key and user. */
  const asking = new Map<string, Promise<boolean>>();

  const stateOf = (record: RoomRecord, before: RoomState | undefined): RoomState => {
    // The same incarnation keeps its lane: entries may be waiting in it.
    if (before && before.key === record.key) return Object.assign(before, { record, stale: false });
    return {
      ...createLane(record.key, null),
      name: record.name,
      nameJson: JSON.stringify(record.name),
      tag: epochTag(record.key),
      subject: subjects.room(record.name),
      record,
      exceptions: new Map(),
      membership: new Map(),
      memberCount: 0,
      stale: false,
      amending: Promise.resolve(),
    };
  };

  const evict = () => {
    if (states.size <= maxWarm) return;
    for (const [name, state] of states) {
      if (state.busy || state.waiting.length > 0) continue;
      states.delete(name);
      if (states.size <= maxWarm) return;
    }
  };

  const read = async (name: string): Promise<RoomState | null> => {
    const before = states.get(name);
    // A change told while this reads must not be lost under it.
    if (before) before.stale = false;
    const [record] = await store.rooms.find([name]);
    if (!record) {
      states.delete(name);
      return null;
    }
    const [exceptions, memberCount, heads] = await Promise.all([
      store.rooms.exceptions(record.key),
      store.rooms.countMembers(record.key),
      store.log.heads([record.key]),
    ]);
    const changedMeanwhile = before?.stale ?? false;
    const state = stateOf(record, before);
    state.exceptions = new Map(exceptions.map((member) => [member.user, member]));
    state.membership.clear();
    state.memberCount = memberCount;
    state.stale = changedMeanwhile;
    if (!state.busy && state.waiting.length === 0) state.head = heads[0] ?? null;
    states.set(name, state);
    evict();
    return state;
  };

  const warm = (name: string) => {
    const state = states.get(name);
    return state && !state.stale && !loading.has(name) ? state : undefined;
  };

  const load = (name: string): Promise<RoomState | null> => {
    const state = warm(name);
    if (state) return Promise.resolve(state);
    return shared(loading, name, () => read(name));
  };

  const make: RoomStates["make"] = async (name, settings) => {
    const { created } = await store.rooms.create({
      title: null,
      closed: false,
      receipts: false,
      retentionMs: null,
      retentionEntries: null,
      ...settings,
      name,
      key: randomInt(1, 2 ** 48 - 1),
      createdAtMs: now(),
      version: 1,
    });
    const state = await load(name);
    if (!state) throw new Refusal("unavailable", "The room was deleted meanwhile; try again");
    return { state, created };
  };

  const findOrMake = async (name: string): Promise<RoomState> => {
    const state = await load(name);
    if (state) return state;
    // The help centre makes its rooms itself: who made one by its name would hear what is not for them.
    if (!options.roomsByUse || isHelpRoom(name)) throw forbidden();
    return (await make(name, { visibility: "public" })).state;
  };

  const check = (state: RoomState, user: string, rights: string, member: boolean): Access => {
    const exception = state.exceptions.get(user);
    if (exception?.banned) throw forbidden();
    if (state.record.visibility !== "public" && !member) throw forbidden();
    const role = exception?.role ?? "member";
    // A moderator of all rooms is one in this room, too; its owner stays owner.
    if (role !== "owner" && hasRightIn(rights, "moderate", state.name)) return { role: "moderator", mutedUntilMs: 0 };
    return { role, mutedUntilMs: exception?.mutedUntilMs ?? 0 };
  };

  const askMember = async (state: RoomState, user: string): Promise<boolean> => {
    const record = await store.rooms.member(state.key, user);
    const member = record?.member ?? false;
    if (state.membership.size >= maxMembership) state.membership.clear();
    state.membership.set(user, member);
    return member;
  };

  const isMember = (state: RoomState, user: string): Promise<boolean> => {
    const known = state.membership.get(user);
    if (known !== undefined) return Promise.resolve(known);
    return shared(asking, `${state.key}:${user}`, () => askMember(state, user));
  };

  return {
    warm,
    load,
    make,
    loadOrMake: (name) => shared(making, name, () => findOrMake(name)),
    access(state, user, rights) {
      if (state.record.visibility === "public") return check(state, user, rights, true);
      const known = state.membership.get(user);
      return known === undefined
        ? isMember(state, user).then((member) => check(state, user, rights, member))
        : check(state, user, rights, known);
    },
    isMember,
    setMember(state, user, member) {
      if (state.membership.size >= maxMembership) state.membership.clear();
      state.membership.set(user, member);
    },
    changed(name) {
      const state = states.get(name);
      if (state) state.stale = true;
    },
    count: () => states.size,
  };
}
