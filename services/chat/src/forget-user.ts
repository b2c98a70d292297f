/** A person is forgotten: out at once, and out of everything that names them. What they said stays, as a deleted user's. */
import { type ForgetRequest, subjects } from "@parley/bus";
import type { Store, UserRecord } from "@parley/store";
import type { ChatDeps } from "./chat.ts";
import { digestOf, messageFields } from "./entry.ts";
import { revoke } from "./revocations.ts";
import type { RoomState } from "./room-states.ts";

const deletedUser = { id: "deleted", name: "Deleted user" };

const roomsPerPage = 200;
const entriesPerPage = 200;

export interface Forgotten {
  /** Entries that named the person, and the rooms they are in. */
  entries: number;
  rooms: number;
  /** Whether the service with notifications and SMS has forgotten, too; if not, call again. */
  notices: boolean;
}

/** What chat needs to ask the service that has the notifications. */
export type AskForget = (request: ForgetRequest) => Promise<boolean>;

/** The user's record, and the phone numbers this service knows of. */
export async function personOf(store: Store, user: string): Promise<{ record: UserRecord | null; phones: string[] }> {
  const [[record], preferences] = await Promise.all([store.users.find([user]), store.notifications.preferences(user)]);
  const phones = [record?.phone, preferences?.phone].filter((phone) => phone != null);
  return { record: record ?? null, phones };
}

export async function* allRooms(store: Store): AsyncGenerator<string> {
  for (let after: string | null = null; ; ) {
    const page = await store.rooms.list({ after, limit: roomsPerPage });
    for (const { name } of page) yield name;
    if (page.length < roomsPerPage) return;
    after = page[page.length - 1]?.name ?? null;
  }
}

/** All entries of a room which this user wrote, in order, a page at a time. */
export async function* entriesOf(
  store: Store,
  key: number,
  user: string,
): AsyncGenerator<{ seq: number; body: string }[]> {
  // Bodies are made by encodeBody: the sender stands near the front, and its id first in it.
  const sign = `"sender":{"id":${JSON.stringify(user)},`;
  for (let after = 0; ; ) {
    const page = await store.log.readAfter(key, after, entriesPerPage);
    if (page.length === 0) return;
    yield page.filter(({ body }) => body.slice(0, 1_024).includes(sign));
    after = (page[page.length - 1] as { seq: number }).seq;
  }
}

/** Calling it again goes on where an earlier call was cut short. */
export async function forgetUser(deps: ChatDeps, user: string, ask: AskForget): Promise<Forgotten> {
  const { store } = deps;
  await revoke(deps, { user });
  const { record, phones } = await personOf(store, user);
  const told = { entries: 0, rooms: 0 };
  for await (const name of allRooms(store)) {
    const state = await deps.rooms.load(name);
    if (!state) continue;
    if (await store.rooms.removeMember(state.key, user)) {
      deps.rooms.changed(name);
      deps.deliver.roomChanged(name);
      deps.deliver.order({ order: "membership", user, room: name, member: false });
    }
    const entries = await renameEntries(deps, state, user);
    told.entries += entries;
    if (entries > 0) told.rooms++;
  }
  await store.tickets.forget(user, deletedUser.name);
  // They may live in a store of their own, which another service has.
  await store.notifications.forget(user);
  for (const phone of phones) await store.sms.forget(phone);
  // A guest who was last here in 1970: the next sweep removes the record with what is left of memberships.
  if (record)
    await store.users.put({
      ...{ ...record, name: deletedUser.name, guest: true, info: null, lastSeenAtMs: 0 },
      ...{ avatarColor: null, phone: null, email: null },
    });
  return { ...told, notices: await ask({ user, phones }) };
}

/** Puts the deleted user in the person's place, with an entry that tells whoever listens that the log has changed. */
async function renameEntries(deps: ChatDeps, state: RoomState, user: string): Promise<number> {
  let count = 0;
  for await (const entries of entriesOf(deps.store, state.key, user)) {
    if (entries.length === 0) continue;
    const redactions = entries.map(({ seq, body }) => ({
      seq,
      body: JSON.stringify({ ...(JSON.parse(body) as object), sender: deletedUser }),
    }));
    const dataJson = JSON.stringify({ event: "user.forgotten", seqs: entries.map(({ seq }) => seq) });
    await deps.appender.append(state, {
      kind: "system",
      sender: "system",
      senderJson: JSON.stringify({ id: "system", name: "System" }),
      // The same step of a repeated call is the same entry.
      clientMessageId: `forgotten-${entries[0]?.seq}-${entries.length}`,
      digest: digestOf("system", null, dataJson, null),
      target: null,
      fieldsJson: messageFields(null, dataJson, null),
      redactions,
    });
    count += entries.length;
  }
  return count;
}

/** Asks over the bus; false where nobody answers. */
export function createAskForget(bus: {
  request(subject: string, payload: string): Promise<{ json<T>(): T }>;
}): AskForget {
  return async (request) => {
    try {
      return (await bus.request(subjects.forget(), JSON.stringify(request))).json<{ ok: boolean }>().ok;
    } catch {
      return false;
    }
  };
}
