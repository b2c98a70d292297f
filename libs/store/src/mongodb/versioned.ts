import type { Document, Filter, UpdateFilter, WithId } from "mongodb";
import type { MongoConnection } from "./connection.ts";
import type { Records } from "./records.ts";

export interface VersionedDoc {
  _id: string;
  version: number;
  [field: string]: unknown;
}

/** Documents that are records as they are, one field being the `_id`, with a version that grows. */
export function versioned<Row extends { version: number }, Key extends keyof Row & string>(
  { collection }: MongoConnection,
  records: Records,
  name: string,
  key: Key,
) {
  const docs = collection<VersionedDoc>(name);
  const rowOf = ({ _id, ...rest }: WithId<VersionedDoc>): Row => ({ [key]: _id, ...rest }) as unknown as Row;
  const docOf = ({ [key]: _id, ...rest }: Row): VersionedDoc => ({ _id, ...rest }) as unknown as VersionedDoc;

  return {
    docs,
    docOf,
    rowOf,
    async find(id: string): Promise<Row | null> {
      const found = await docs.findOne({ _id: id });
      return found === null ? null : rowOf(found);
    },
    async findOne(filter: Document): Promise<Row | null> {
      const found = await docs.findOne(filter as Filter<VersionedDoc>);
      return found === null ? null : rowOf(found);
    },
    async list(filter: Document, sort: Record<string, 1 | -1>, limit = 0): Promise<Row[]> {
      return (
        await docs
          .find(filter as Filter<VersionedDoc>)
          .sort(sort)
          .limit(limit)
          .toArray()
      ).map(rowOf);
    },
    /** Stores the row, or answers the one that `unique` finds. */
    async create(row: Row, unique: Document): Promise<{ row: Row; created: boolean }> {
      const there = await records.insert(docs, docOf(row), unique as Filter<VersionedDoc>);
      if (there === null) return { row, created: true };
      // The same id is ours.
      return { row: rowOf(there), created: there._id === row[key] };
    },
    /** Changes the row where it is at `version`, and bumps it. */
    async change(id: string, version: number, changes: Partial<Row>): Promise<Row | null> {
      const named = Object.entries(changes).filter(([, value]) => value !== undefined);
      const update = { $set: Object.fromEntries(named), $inc: { version: 1 } } as unknown as UpdateFilter<VersionedDoc>;
      const changed = await records.update(docs, id, { version }, update);
      return changed === null ? null : rowOf(changed);
    },
    /** Removes those that match, the oldest first, at most `limit`; answers how many. */
    async remove(filter: Document, sort: Record<string, 1>, limit: number): Promise<number> {
      const matching = filter as Filter<VersionedDoc>;
      const found = await docs
        .find(matching, { projection: { _id: 1 } })
        .sort(sort)
        .limit(limit)
        .toArray();
      if (found.length === 0) return 0;
      const ids = found.map(({ _id }) => _id);
      return (await docs.deleteMany({ ...matching, _id: { $in: ids } } as Filter<VersionedDoc>)).deletedCount;
    },
  };
}

/** Filter for what comes after the last of the page before, ascending by (field, _id). */
export const afterLast = (field: string, value: number, id: string): Document => ({
  $or: [{ [field]: { $gt: value } }, { [field]: value, _id: { $gt: id } }],
});

/** Filter for a text: says that it is one, without which an index over texts alone would not be used. */
export const text = (value: string) => ({ $eq: value, $type: "string" as const });
