import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Collection, Filter, OptionalUnlessRequiredId, UpdateFilter, WithId, WithoutId } from "mongodb";
import { isDuplicate, type MongoConnection } from "./connection.ts";

/** A document that is changed by `decide`; `rev` grows with each change. */
export interface Revised {
  _id: string;
  rev: number;
}

/** What becomes of a document: it is replaced by this one, goes, or stays as it is. */
export type Decision<Doc> = Omit<Doc, "_id" | "rev"> | "remove" | "keep";

export type Records = ReturnType<typeof recordsOf>;

interface Lock {
  _id: string;
  holder: string;
  atMs: number;
}

/** A holder that was killed would keep its lock for ever. */
const lockLifeMs = 3_000;

/** Who was quicker may be gone again; not so often. */
const maxInserts = 10;

/** Whether `doc` has these fields with these values: texts, numbers, booleans or null. */
const isSubset = (fields: object, doc: object): boolean =>
  Object.entries(fields).every(([field, value]) => (doc as Record<string, unknown>)[field] === value);

/** How single documents are changed so that of several writers none undoes another. */
export function recordsOf({ collection, capabilities }: MongoConnection) {
  const locks = collection<Lock>("locks");

  /**
   * Runs `work` alone among all that lock this id. For servers whose updates are not atomic: what they do have is a unique
   * `_id`, so a document is the lock.
   */
  async function locked<T>(_id: string, work: () => Promise<T>): Promise<T> {
    const holder = randomUUID();
    for (let waitMs = 1; ; waitMs = Math.min(20, waitMs * 2)) {
      try {
        await locks.insertOne({ _id, holder, atMs: Date.now() });
        break;
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
      const other = await locks.findOne({ _id });
      if (other !== null && other.atMs < Date.now() - lockLifeMs) await locks.deleteOne({ _id });
      else await sleep(waitMs * Math.random());
    }
    try {
      return await work();
    } finally {
      await locks.deleteOne({ _id });
    }
  }

  /** Runs `work`, which changes this one document by one update, alone where the server does not see to that itself. */
  const alone = <T>(of: { collectionName: string }, id: string, work: () => Promise<T>): Promise<T> =>
    capabilities.atomicUpdates ? work() : locked(`${of.collectionName}:${id}`, work);

  /** One update of one document where it matches; answers the document as it is then, or null where it does not. */
  const updateWhere = <Doc extends { _id: string }>(
    of: Collection<Doc>,
    _id: string,
    filter: Filter<Doc>,
    /** What the filter says. */
    matches: (doc: WithId<Doc>) => boolean,
    change: UpdateFilter<Doc>,
  ): Promise<WithId<Doc> | null> => {
    const updateOne = (where: Filter<Doc>) => of.findOneAndUpdate(where, change, { returnDocument: "after" });
    if (capabilities.atomicUpdates) return updateOne({ ...filter, _id });
    const byId = { _id } as Filter<Doc>;
    // Such a server reads the whole collection where anything stands beside the `_id`; and nobody else changes it meanwhile.
    return alone(of, _id, async () => {
      const before = await of.findOne(byId);
      return before !== null && matches(before) ? updateOne(byId) : null;
    });
  };

  /** One update of one document, by operators, where its fields equal these. Answers as updateWhere. */
  const update = <Doc extends { _id: string }>(
    of: Collection<Doc>,
    _id: string,
    fields: Partial<Doc>,
    change: UpdateFilter<Doc>,
  ): Promise<WithId<Doc> | null> => updateWhere(of, _id, fields as Filter<Doc>, (doc) => isSubset(fields, doc), change);

  /** Updates those of these documents that match the filter, which `matches` says again; answers how many. */
  const updateEach = async <Doc extends { _id: string }>(
    of: Collection<Doc>,
    ids: readonly string[],
    filter: Filter<Doc>,
    matches: (doc: WithId<Doc>) => boolean,
    change: UpdateFilter<Doc>,
  ): Promise<number> => {
    const these = { ...filter, _id: { $in: ids } } as Filter<Doc>;
    if (capabilities.atomicUpdates) return (await of.updateMany(these, change)).modifiedCount;
    const changed = await Promise.all(ids.map((_id) => updateWhere(of, _id, filter, matches, change)));
    return changed.filter((doc) => doc !== null).length;
  };

  return {
    alone,
    update,
    updateEach,

    /**
     * Inserts the document and answers null. Where somebody was quicker it answers the one there, which `where` finds; that may be
     * this very document, if the driver repeated an insert whose answer was lost.
     */
    async insert<Doc extends { _id: string }>(
      of: Collection<Doc>,
      doc: Doc,
      where = { _id: doc._id } as Filter<Doc>,
    ): Promise<WithId<Doc> | null> {
      for (let attempt = 1; ; attempt++) {
        try {
          await of.insertOne(doc as OptionalUnlessRequiredId<Doc>);
          return null;
        } catch (error) {
          if (!isDuplicate(error) || attempt === maxInserts) throw error;
        }
        // Whoever was quicker may not have a majority yet.
        const there = await of.findOne(where, { readConcern: { level: "local" } });
        if (there !== null) return there;
      }
    },

    /** Updates each document that matches the filter, which `matches` says again; answers how many. */
    async updateAll<Doc extends { _id: string }>(
      of: Collection<Doc>,
      filter: Filter<Doc>,
      matches: (doc: WithId<Doc>) => boolean,
      change: UpdateFilter<Doc>,
    ): Promise<number> {
      if (capabilities.atomicUpdates) return (await of.updateMany(filter, change)).modifiedCount;
      const found = await of.find(filter, { projection: { _id: 1 } }).toArray();
      const ids = found.map(({ _id }) => String(_id));
      return updateEach(of, ids, filter, matches, change);
    },

    /** Reads a document, decides, and writes unless somebody else did meanwhile: then again. Answers what was there. */
    async decide<Doc extends Revised>(
      of: Collection<Doc>,
      _id: string,
      decision: (before: WithId<Doc> | null) => Decision<Doc>,
    ): Promise<WithId<Doc> | null> {
      const byId = { _id } as Filter<Doc>;
      for (;;) {
        const seen = await of.findOne(byId);
        if (seen === null) {
          const next = decision(null);
          if (next === "keep" || next === "remove") return null;
          try {
            await of.insertOne({ ...next, _id, rev: 1 } as unknown as OptionalUnlessRequiredId<Doc>);
            return null;
          } catch (error) {
            if (isDuplicate(error)) continue;
            throw error;
          }
        }
        // As most are: nothing to write, and so nothing to lock.
        const wanted = decision(seen);
        if (wanted === "keep") return seen;
        const done = await alone(of, _id, async () => {
          const before = capabilities.atomicUpdates ? seen : await of.findOne(byId);
          if (before === null) return null;
          const next = capabilities.atomicUpdates ? wanted : decision(before);
          if (next === "keep") return before;
          // Who holds the lock needs no more than the id, by which every server finds it at once.
          const same = capabilities.atomicUpdates ? ({ _id, rev: before.rev } as Filter<Doc>) : byId;
          if (next === "remove") return (await of.deleteOne(same)).deletedCount === 1 ? before : null;
          const after = { ...next, rev: before.rev + 1 } as unknown as WithoutId<Doc>;
          return (await of.replaceOne(same, after)).matchedCount === 1 ? before : null;
        });
        if (done !== null) return done;
      }
    },
  };
}
