/**
 * What takes several steps and must not stop half-way, though there are no transactions: what is to go is written down
 * first, and whoever finds it undone (the process was killed) goes on with it.
 */
import { randomUUID } from "node:crypto";
import { isDuplicate, type MongoConnection } from "./connection.ts";
import type { MongoLog } from "./log.ts";
import type { MemberDoc } from "./members.ts";
import type { RoomDoc } from "./rooms.ts";
import type { UserDoc } from "./users.ts";

type Removal = { _id: string; atMs: number } & (
  | { kind: "room"; key: number; name: string }
  | { kind: "guests"; ids: string[]; beforeMs: number }
);

/** So old a removal was left by somebody who is gone. */
const leftAfterMs = 30_000;

export interface RemovalsDeps {
  connection: MongoConnection;
  log: MongoLog;
  removeTimer(room: string, key: number): Promise<void>;
}

export function mongoRemovals({ connection, log, removeTimer }: RemovalsDeps) {
  const { collection, call } = connection;
  const removals = collection<Removal>("removals");
  const rooms = collection<RoomDoc>("rooms");
  const members = collection<MemberDoc>("members");
  const users = collection<UserDoc>("users");

  /** Answers whether this call took the room. */
  async function takeRoom(key: number, name: string): Promise<boolean> {
    const { deletedCount } = await rooms.deleteOne({ _id: name, key });
    await log.end(key);
    await members.deleteMany({ key });
    await removeTimer(name, key);
    return deletedCount === 1;
  }

  async function purgeRoom(_id: string, key: number): Promise<void> {
    await log.purge(key);
    await removals.deleteOne({ _id });
  }

  async function deleteRoom(name: string): Promise<boolean> {
    const room = await rooms.findOne({ _id: name });
    if (room === null) return false;
    const { key } = room;
    const _id = `room:${key}`;
    try {
      await removals.insertOne({ _id, kind: "room", key, name, atMs: Date.now() });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    const taken = await takeRoom(key, name);
    // Nobody waits for this; what it does not finish the sweeper does.
    call(() => purgeRoom(_id, key)).catch(() => {});
    return taken;
  }

  /** Answers whom it removed. Members after users: a guest who came back meanwhile keeps the rooms. */
  async function takeGuests(ids: string[], beforeMs: number): Promise<string[]> {
    await users.deleteMany({ _id: { $in: ids }, guest: true, lastSeenAtMs: { $lt: beforeMs } });
    const back = new Set(
      (await users.find({ _id: { $in: ids } }, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id),
    );
    const gone = ids.filter((id) => !back.has(id));
    await members.deleteMany({ user: { $in: gone } });
    return gone;
  }

  return {
    deleteRoom: (name: string): Promise<boolean> => call(() => deleteRoom(name)),

    async removeGuests(ids: string[], beforeMs: number): Promise<string[]> {
      if (ids.length === 0) return [];
      const _id = `guests:${randomUUID()}`;
      await removals.insertOne({ _id, kind: "guests", ids, beforeMs, atMs: Date.now() });
      const gone = await takeGuests(ids, beforeMs);
      await removals.deleteOne({ _id });
      return gone;
    },

    /** Goes on with what was left. */
    async sweep(nowMs: number): Promise<void> {
      for (const removal of await removals.find({ atMs: { $lt: nowMs - leftAfterMs } }).toArray()) {
        if (removal.kind === "room") {
          await takeRoom(removal.key, removal.name);
          await purgeRoom(removal._id, removal.key);
        } else {
          await takeGuests(removal.ids, removal.beforeMs);
          await removals.deleteOne({ _id: removal._id });
        }
      }
    },
  };
}
