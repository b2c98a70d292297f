import type { WithId } from "mongodb";
import type { RoomRecord, RoomStore } from "../rooms.ts";
import type { MongoConnection } from "./connection.ts";
import { findByIds } from "./find-by-ids.ts";
import type { Records } from "./records.ts";

/** A room; its name is the `_id`. */
export type RoomDoc = Omit<RoomRecord, "name"> & { _id: string; rev: number };

/** So many names are kept by their keys: a key never gets another name. */
const maxNames = 100_000;

type RoomCalls = Pick<RoomStore, "find" | "create" | "change" | "list" | "withRetention">;

/** What RoomStore says of rooms themselves. */
export function mongoRooms({ capabilities, collection, call }: MongoConnection, { decide, insert }: Records) {
  const rooms = collection<RoomDoc>("rooms");
  const names = new Map<number, string>();

  const noted = <T extends { key: number; name: string }>(room: T): T => {
    if (names.size >= maxNames) names.clear();
    names.set(room.key, room.name);
    return room;
  };
  const roomOf = ({ _id, rev, ...rest }: WithId<RoomDoc>): RoomRecord => noted({ name: _id, ...rest });

  const findAll = async (wanted: string[]): Promise<Map<string, RoomRecord>> => {
    const found = await findByIds(capabilities, rooms, wanted);
    return new Map(found.map((doc) => [doc._id, roomOf(doc)]));
  };

  const calls: RoomCalls = {
    find: (wanted) =>
      call(async () => {
        const found = await findAll([...new Set(wanted)]);
        return wanted.map((name) => found.get(name) ?? null);
      }),
    create: (room) =>
      call(async () => {
        const { name, ...rest } = room;
        const there = await insert(rooms, { _id: name, rev: 1, ...rest });
        if (there === null) return { room: noted(room), created: true };
        // The same key is ours.
        return { room: roomOf(there), created: there.key === room.key };
      }),
    change: (name, changes) =>
      call(async () => {
        let after: RoomRecord | null = null;
        await decide(rooms, name, (before) => {
          if (before === null) {
            after = null;
            return "keep";
          }
          const { _id, rev, ...rest } = before;
          const next = { ...rest, ...changes, version: rest.version + 1 };
          after = { name, ...next };
          return next;
        });
        return after;
      }),
    list: ({ after, limit }) =>
      call(async () => {
        const found = await rooms
          .find(after === null ? {} : { _id: { $gt: after } })
          .sort({ _id: 1 })
          .limit(limit)
          .toArray();
        return found.map(roomOf);
      }),
    withRetention: () =>
      call(async () => {
        const ruled = [{ retentionMs: { $gt: 0 } }, { retentionEntries: { $gt: 0 } }];
        return (await rooms.find({ $or: ruled }).sort({ _id: 1 }).toArray()).map(roomOf);
      }),
  };

  /** The name of the room that has this key now, or null. */
  async function nameOf(key: number): Promise<string | null> {
    const name = names.get(key);
    if (name === undefined) return (await rooms.find({ key }).map(roomOf).next())?.name ?? null;
    return (await rooms.findOne({ _id: name }, { projection: { key: 1 } }))?.key === key ? name : null;
  }

  return {
    calls,
    rooms,
    byKeys: async (keys: number[]): Promise<Map<number, RoomRecord>> => {
      const found = keys.length === 0 ? [] : await rooms.find({ key: { $in: keys } }).toArray();
      return new Map(found.map((doc) => [doc.key, roomOf(doc)]));
    },
    /** The name of the room that has this key, or had it when this process last saw the room. */
    knownName: async (key: number): Promise<string | null> => names.get(key) ?? nameOf(key),
    nameOf,
  };
}

export type MongoRooms = ReturnType<typeof mongoRooms>;
