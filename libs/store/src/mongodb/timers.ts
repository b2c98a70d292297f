import type { TimerRecord, TimerStore } from "../timers.ts";
import { isDuplicate, type MongoConnection } from "./connection.ts";
import type { Records } from "./records.ts";
import type { MongoRooms } from "./rooms.ts";
import { versioned } from "./versioned.ts";

export function mongoTimers(connection: MongoConnection, records: Records, { rooms }: MongoRooms) {
  const { call } = connection;
  const timers = versioned<TimerRecord, "room">(connection, records, "timers", "room");

  const isRoom = async ({ room, key }: TimerRecord): Promise<boolean> =>
    (await rooms.findOne({ _id: room }))?.key === key;

  /** A change of the timer at version `before`; for a new one, of none or of one of an earlier room of the name. */
  async function replace(record: TimerRecord, before: number): Promise<boolean> {
    const { key } = record;
    const there = before > 0 ? { key, version: before } : { key: { $ne: key } };
    const { _id, ...doc } = timers.docOf(record);
    if (before > 0 || (await timers.find(record.room)) !== null) {
      const { matchedCount } = await timers.docs.replaceOne({ _id, ...there }, doc);
      return matchedCount === 1;
    }
    try {
      await timers.docs.insertOne({ _id, ...doc });
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }

  async function put(record: TimerRecord, before: number): Promise<boolean> {
    if (!(await isRoom(record))) return false;
    if (!(await records.alone(timers.docs, record.room, () => replace(record, before)))) return false;
    // A deletion takes the room first and its timer then: one of the two sees the other.
    if (await isRoom(record)) return true;
    await remove(record.room, record.key);
    return false;
  }

  const remove = async (room: string, key: number): Promise<void> => {
    await timers.docs.deleteOne({ _id: room, key });
  };

  const store: TimerStore = {
    find: (names) => call(() => Promise.all(names.map((name) => timers.find(name)))),
    put: (record, before = record.version - 1) => call(() => put(record, before)),
    list: ({ after, limit }) =>
      call(() => timers.list(after === null ? {} : { _id: { $gt: after } }, { _id: 1 }, limit)),
    active: (partitions, endedSinceMs) =>
      call(() => {
        const running = { endsAtMs: { $gte: 0 } };
        const endedLately = { endsAtMs: null, endedAtMs: { $gte: endedSinceMs } };
        return timers.list({ partition: { $in: partitions }, $or: [running, endedLately] }, { _id: 1 });
      }),
  };

  return { store, remove };
}
