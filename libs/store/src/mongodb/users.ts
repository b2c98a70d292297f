import type { Filter, UpdateFilter, WithId } from "mongodb";
import type { UserRecord, UserStore } from "../users.ts";
import type { MongoConnection } from "./connection.ts";
import { findByIds } from "./find-by-ids.ts";
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
  const { call, capabilities, collection } = connection;
  const users = collection<UserDoc>("users");

  return {
    put: ({ id, ...rest }) => call(async () => void (await records.decide(users, id, () => rest))),
    create: (user) =>
      call(async () => {
        const { id, ...rest } = user;
        const there = await records.insert(users, { _id: id, rev: 1, ...rest });
        return there === null ? { user, created: true } : { user: userOf(there), created: false };
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
        const found = await findByIds(capabilities, users, ids);
        const byId = new Map(found.map((doc) => [doc._id, userOf(doc)]));
        return ids.map((id) => byId.get(id) ?? null);
      }),
    touch: (ids, atMs) =>
      call(async () => {
        const older = { lastSeenAtMs: { $lt: atMs } } as Filter<UserDoc>;
        const seen = { $set: { lastSeenAtMs: atMs }, $inc: { rev: 1 } } as UpdateFilter<UserDoc>;
        await records.updateEach(users, ids, older, ({ lastSeenAtMs }) => lastSeenAtMs < atMs, seen);
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
