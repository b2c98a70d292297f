import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Collection, Filter, OptionalUnlessRequiredId, UpdateFilter, WithId, WithoutId } from "mongodb";
import { isDuplicate, type MongoConnection } from "./connection.ts";

/** A document that changes; `rev` grows with each change. */
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

  const alone = <T>(of: Collection<never>, id: string, work: () => Promise<T>): Promise<T> =>
    capabilities.atomicUpdates ? work() : locked(`${of.collectionName}:${id}`, work);

  return {
    /** One update of one document, by operators; answers the document as it is then, or null where none matched. */
    update<Doc extends Revised>(
      of: Collection<Doc>,
      _id: string,
      filter: Filter<Doc>,
      update: UpdateFilter<Doc>,
    ): Promise<WithId<Doc> | null> {
      return alone(of as unknown as Collection<never>, _id, () =>
        of.findOneAndUpdate({ ...filter, _id } as Filter<Doc>, update, { returnDocument: "after" }),
      );
    },

    /** Reads a document, decides, and writes unless somebody else did meanwhile: then again. Answers what was there. */
    decide<Doc extends Revised>(
      of: Collection<Doc>,
      _id: string,
      decision: (before: WithId<Doc> | null) => Decision<Doc>,
    ): Promise<WithId<Doc> | null> {
      return alone(of as unknown as Collection<never>, _id, async () => {
        for (;;) {
          const before = await of.findOne({ _id } as Filter<Doc>);
          const next = decision(before);
          if (next === "keep") return before;
          if (before === null) {
            if (next === "remove") return null;
            try {
              await of.insertOne({ ...next, _id, rev: 1 } as unknown as OptionalUnlessRequiredId<Doc>);
              return null;
            } catch (error) {
              if (isDuplicate(error)) continue;
              throw error;
            }
          }
          const same = { _id, rev: before.rev } as Filter<Doc>;
          if (next === "remove") {
            if ((await of.deleteOne(same)).deletedCount === 1) return before;
            continue;
          }
          const after = { ...next, rev: before.rev + 1 } as unknown as WithoutId<Doc>;
          if ((await of.replaceOne(same, after)).matchedCount === 1) return before;
        }
      });
    },
  };
}
