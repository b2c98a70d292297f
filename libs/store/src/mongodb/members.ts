import { isDeepStrictEqual } from "node:util";
import type { Filter, WithId } from "mongodb";
import type { LogHead } from "../room-log.ts";
import { changedMember, type MemberRecord, type RoomStore } from "../rooms.ts";
import type { MongoConnection } from "./connection.ts";
import { findByIds } from "./find-by-ids.ts";
import type { Records } from "./records.ts";
import type { MongoRooms } from "./rooms.ts";
import type { Segments } from "./segments.ts";

/** A user's record in a room; the `_id` is `key:user`. */
export type MemberDoc = MemberRecord & {
  _id: string;
  rev: number;
  key: number;
  /** The room's name, so that a user's rooms are found in order. A key never changes its name. */
  room: string;
};

const memberOf = ({ _id, rev, key, room, ...member }: WithId<MemberDoc>): MemberRecord => member;
const memberId = (key: number, user: string): string => `${key}:${user}`;

type MemberCalls = Omit<RoomStore, "find" | "create" | "change" | "delete" | "list" | "withRetention">;

interface MembersDeps {
  connection: MongoConnection;
  records: Records;
  rooms: MongoRooms;
  segments: Segments;
}

/** What RoomStore says of members. */
export function mongoMembers({ connection, records, rooms, segments }: MembersDeps) {
  const { call, capabilities, collection } = connection;
  const members = collection<MemberDoc>("members");

  const page = async (filter: Filter<MemberDoc>, sort: Record<string, 1>, limit = 0): Promise<WithId<MemberDoc>[]> =>
    members.find(filter).sort(sort).limit(limit).toArray();

  async function putMember(...[key, user, changes, atMs]: Parameters<RoomStore["putMember"]>) {
    const _id = memberId(key, user);
    const room = await rooms.knownName(key);
    let member: MemberRecord | null = null;
    let wasMember = false;
    let isKept = false;
    await records.decide(members, _id, (before) => {
      wasMember = before?.member ?? false;
      member = changedMember(before && memberOf(before), user, changes, atMs);
      isKept = room !== null && !(before !== null && isDeepStrictEqual(member, memberOf(before)));
      return isKept ? { ...member, key, room: room! } : "keep";
    });
    // A deletion takes the room first and its members then: one of the two sees the other.
    if (isKept && (await rooms.nameOf(key)) === null) await members.deleteOne({ _id });
    return { member: member as unknown as MemberRecord, wasMember };
  }

  async function removeMember(key: number, user: string): Promise<boolean> {
    const before = await records.decide(members, memberId(key, user), (record) => {
      if (record === null) return "keep";
      if (!record.banned && record.mutedUntilMs <= 0) return "remove";
      const { _id, rev, ...rest } = record;
      return { ...rest, role: "member" as const, member: false, lastRead: 0, lastReadCount: 0 };
    });
    return before?.member ?? false;
  }

  async function markRead(...[key, user, seq, count]: Parameters<RoomStore["markRead"]>) {
    let mark: { seq: number; count: number } | null = null;
    await records.decide(members, memberId(key, user), (record) => {
      mark = null;
      if (!record?.member) return "keep";
      mark = { seq: record.lastRead, count: record.lastReadCount };
      if (seq <= record.lastRead) return "keep";
      mark = { seq, count };
      const { _id, rev, ...rest } = record;
      return { ...rest, lastRead: seq, lastReadCount: count };
    });
    return mark;
  }

  /** What the oldest kept entry makes of a mark before it. */
  async function markOf(key: number, member: MemberRecord, start: number): Promise<{ seq: number; count: number }> {
    const { lastRead: seq, lastReadCount: count } = member;
    const oldest = seq >= start - 1 ? null : await segments.oldestEntry(key);
    if (oldest === null || seq >= oldest.seq - 1) return { seq, count };
    return { seq: oldest.seq - 1, count: oldest.count - Number(oldest.kind === "message") };
  }

  async function unread(items: { key: number; user: string }[]): Promise<number[]> {
    const ids = items.map(({ key, user }) => memberId(key, user));
    const found = await findByIds(capabilities, members, ids);
    const byId = new Map(found.map((doc) => [doc._id, doc]));
    const heads = new Map<number, Promise<LogHead>>();
    return Promise.all(
      items.map(async ({ key, user }, i) => {
        const member = byId.get(ids[i]!);
        if (!member?.member) return 0;
        const head = heads.get(key) ?? segments.head(key);
        heads.set(key, head);
        const { seq, count, start } = await head;
        if (seq <= member.lastRead) return 0;
        const mark = await markOf(key, member, start);
        if (count <= mark.count) return 0;
        return Math.max(0, count - mark.count - (await segments.sentSince(key, user, mark.seq)));
      }),
    );
  }

  const calls: MemberCalls = {
    member: (key, user) =>
      call(async () => {
        const found = await members.findOne({ _id: memberId(key, user) });
        return found === null ? null : memberOf(found);
      }),
    putMember: (...args) => call(() => putMember(...args)),
    removeMember: (key, user) => call(() => removeMember(key, user)),
    members: (key, { after, limit }) =>
      call(async () => {
        const above = after === null ? {} : { user: { $gt: after } };
        return (await page({ key, member: true, ...above }, { user: 1 }, limit)).map(memberOf);
      }),
    countMembers: (key) => call(() => members.countDocuments({ key, member: true })),
    exceptions: (key) =>
      call(async () => {
        const odd = [{ role: { $in: ["owner", "moderator"] } }, { mutedUntilMs: { $gt: 0 } }, { banned: true }];
        return (await page({ key, $or: odd } as Filter<MemberDoc>, { user: 1 })).map(memberOf);
      }),
    roomsOf: (user, { after, limit }) =>
      call(async () => {
        const above = after === null ? {} : { room: { $gt: after } };
        const own = await page({ user, member: true, ...above }, { room: 1 }, limit);
        const byKey = await rooms.byKeys(own.map(({ key }) => key));
        return own.flatMap((doc) => {
          const room = byKey.get(doc.key);
          return room === undefined ? [] : [{ room, member: memberOf(doc) }];
        });
      }),
    markRead: (...args) => call(() => markRead(...args)),
    unread: (items) => call(() => (items.length === 0 ? Promise.resolve([]) : unread(items))),
  };

  return { calls, members };
}

export type MongoMembers = ReturnType<typeof mongoMembers>;
