import type { Filter, UpdateFilter, WithId } from "mongodb";
import type { UserRecord, UserStore } from "../users.ts";
import type { MongoConnection } from "./connection.ts";
import type { Records } from "./records.ts";

/** A user; the `_id` is the id. */
export type UserDoc = Omit<UserRecord, "id"> & { _id: string; rev: number };

const userOf = ({ _id, rev, ...rest }: WithId<UserDoc>): UserRecord => ({ id: _id, ...rest });

export interface UsersDeps {
  connection: MongoConnection;
  records: Records;
  /** Removes what these guests leave behind, now or after a crash. */
  removeGuests(ids: string[], beforeMs: number): Promise<string[]>;
}

export function mongoUsers({ connection, records, removeGuests }: UsersDeps): UserStore {
  const { call, collection } = connection;
  const users = collection<UserDoc>("users");

  return {
    put: ({ id, ...rest }) => call(async () => void (await records.decide(users, id, () => rest))),
    create: (user) =>
      call(async () => {
        const { id, ...rest } = user;
        const there = await records.decide(users, id, (before) => (before === null ? rest : "keep"));
        return { user: there === null ? user : userOf(there), created: there === null };
      }),
    change: (id, changes) =>
      call(async () => {
        const changed = await records.update(users, id, {}, {
          $set: changes,
          $inc: { rev: 1 },
        } as UpdateFilter<UserDoc>);
        return changed === null ? null : userOf(changed);
      }),
    find: (ids) =>
      call(async () => {
        const [only] = ids;
        const found =
          ids.length === 1
            ? await users.find({ _id: only! }).toArray()
            : await users.find({ _id: { $in: ids } }).toArray();
        const byId = new Map(found.map((doc) => [doc._id, userOf(doc)]));
        return ids.map((id) => byId.get(id) ?? null);
      }),
    touch: (ids, atMs) =>
      call(async () => {
        const older = { lastSeenAtMs: { $lt: atMs } } as Filter<UserDoc>;
        const seen = { $set: { lastSeenAtMs: atMs }, $inc: { rev: 1 } } as UpdateFilter<UserDoc>;
        const filter = { ...older, _id: { $in: ids } } as Filter<UserDoc>;
        await records.updateAll(users, filter, ({ lastSeenAtMs }) => lastSeenAtMs < atMs, seen);
      }),
    removeStaleGuests: (beforeMs, limit) =>
      call(async () => {
        const stale = await users
          .find({ guest: true, lastSeenAtMs: { $lt: beforeMs } }, { projection: { _id: 1 } })
          .sort({ lastSeenAtMs: 1, _id: 1 })
          .limit(limit)
          .toArray();
        return removeGuests(
          stale.map(({ _id }) => _id),
          beforeMs,
        );
      }),
  };
}
