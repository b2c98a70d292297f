import type { Collection, Filter } from "mongodb";
import type { LogHead, StoredEntry } from "../room-log.ts";
import type { MongoConnection } from "./connection.ts";
import { type EntryFacts, entriesOf, factsOf, type Segment, segmentId, segmentRange } from "./segment.ts";

/** Documents read at first for a page: few where appends were large, and the rest if they were small. */
const firstDocuments = 16;

export interface PageRow {
  seq: number;
  body: string;
}

type Page = Pick<Segment, "_id" | "from" | "last" | "bodies" | "redact" | "end">;
type Edge = Pick<Segment, "_id" | "from" | "last" | "count" | "redact" | "end">;

const pageFields = { from: 1, last: 1, bodies: 1, redact: 1, end: 1 } as const;
const edgeFields = { from: 1, last: 1, count: 1, redact: 1, end: 1 } as const;

export type Segments = ReturnType<typeof segmentsOf>;

/** Where the segments of the log are, and how they are found. */
export function segmentsOf({ collection, capabilities }: MongoConnection) {
  const count = capabilities.logCollections;
  const collections = Array.from({ length: count }, (_, i) =>
    collection<Segment>(count === 1 ? "log" : `log${String(i).padStart(3, "0")}`),
  );
  const of = (key: number): Collection<Segment> => collections[key % count]!;

  /** The segment that begins nearest at or before `seq`. */
  const floor = async (key: number, seq: number): Promise<Segment | null> => {
    const filter = { _id: { $gte: segmentId(key, 0), $lte: segmentId(key, seq) } };
    const [found] = await of(key).find(filter).sort({ _id: -1 }).limit(1).toArray();
    return found ?? null;
  };

  const edge = async (key: number, sort: 1 | -1): Promise<Edge | null> => {
    const [found] = await of(key)
      .find<Edge>({ _id: segmentRange(key) }, { projection: edgeFields })
      .sort({ _id: sort })
      .limit(1)
      .toArray();
    return found ?? null;
  };

  const rowsOf = ({ from, bodies, end }: Page): PageRow[] =>
    end ? [] : bodies.map((body, i) => ({ seq: from + i, body }));

  /** What a deletion blanked counts from the moment that it is in the log, also where its blanking is not done yet. */
  const blanked = (rows: PageRow[], pages: Page[]): PageRow[] => {
    const redactions = new Map(pages.flatMap(({ redact = [] }) => redact.map(({ seq, body }) => [seq, body])));
    if (redactions.size === 0) return rows;
    return rows.map(({ seq, body }) => ({ seq, body: redactions.get(seq) ?? body }));
  };

  const pages = (key: number, _id: Filter<Segment>["_id"], sort: 1 | -1, limit: number): Promise<Page[]> =>
    of(key)
      .find<Page>({ _id } as Filter<Segment>, { projection: pageFields })
      .sort({ _id: sort })
      .limit(limit)
      .toArray();

  return {
    collections,
    of,
    floor,
    newest: (key: number) => edge(key, -1),
    oldest: (key: number) => edge(key, 1),

    /** The head as the port has it. `newest` is what was read of it, where that was just done. */
    async head(key: number, newest?: Edge | null): Promise<LogHead> {
      const last = newest === undefined ? await edge(key, -1) : newest;
      if (last === null) return { seq: 0, count: 0, start: 1 };
      const first = last.from === 1 && !last.end ? last : await edge(key, 1);
      // Of a room that is gone, and whose log is too, only the end is left.
      if (first === null || first.end) return { seq: 0, count: 0, start: 1 };
      return { seq: last.last, count: last.count, start: first.from };
    },

    async readAfter(key: number, after: number, limit: number): Promise<PageRow[]> {
      const from = segmentId(key, after + 1);
      const { $lt } = segmentRange(key);
      // The one segment that begins before `after` and goes on beyond it, and those that follow.
      const [start, next] = await Promise.all([
        pages(key, { $gte: segmentId(key, 0), $lte: from }, -1, 1),
        pages(key, { $gt: from, $lt }, 1, Math.min(limit, firstDocuments)),
      ]);
      const all = [...start, ...next];
      let rows = all.flatMap(rowsOf).filter(({ seq }) => seq > after);
      if (next.length === firstDocuments && rows.length < limit) {
        const rest = await pages(key, { $gt: next.at(-1)!._id, $lt }, 1, limit - rows.length);
        all.push(...rest);
        rows.push(...rest.flatMap(rowsOf));
      }
      rows = rows.length > limit ? rows.slice(0, limit) : rows;
      return blanked(rows, all);
    },

    async readBefore(key: number, before: number | null, limit: number): Promise<PageRow[]> {
      const $gte = segmentId(key, 0);
      const { $lt } = before === null ? segmentRange(key) : { $lt: segmentId(key, Math.max(0, before)) };
      const all = await pages(key, { $gte, $lt }, -1, Math.min(limit, firstDocuments) + 1);
      const rowsBefore = (list: Page[]): PageRow[] =>
        list
          .reverse()
          .flatMap(rowsOf)
          .filter(({ seq }) => before === null || seq < before);
      const oldest = all.at(-1);
      let rows = rowsBefore([...all]);
      if (oldest !== undefined && all.length > firstDocuments && rows.length < limit) {
        const rest = await pages(key, { $gte, $lt: oldest._id }, -1, limit - rows.length);
        all.push(...rest);
        rows = [...rowsBefore(rest), ...rows];
      }
      return blanked(rows.slice(-limit), all);
    },

    async get(key: number, seq: number): Promise<StoredEntry | null> {
      const segment = await floor(key, seq);
      if (segment === null || segment.end || seq < segment.from || seq > segment.last) return null;
      return entriesOf(segment)[seq - segment.from] ?? null;
    },

    /** The oldest entry still kept, without its body. */
    async oldestEntry(key: number): Promise<EntryFacts | null> {
      const [found] = await of(key)
        .find({ _id: segmentRange(key) }, { projection: { bodies: 0 } })
        .sort({ _id: 1 })
        .limit(1)
        .toArray();
      return found === undefined || found.end ? null : (factsOf(found)[0] ?? null);
    },

    /** The segments of a key that have one of these ids. */
    withIds: (key: number, ids: string[]) =>
      of(key)
        .find<Pick<Segment, "from" | "ids" | "facts">>(
          { key, ids: { $in: ids } },
          { projection: { from: 1, ids: 1, facts: 1 } },
        )
        .toArray(),

    async withEditsOf(key: number, target: number) {
      const found = await of(key).find({ key, edits: target }).sort({ _id: 1 }).toArray();
      return found.flatMap(entriesOf).filter((entry) => entry.kind === "edited" && entry.target === target);
    },

    /** The lowest seq whose atMs is at least this, or null. */
    async firstSince(key: number, atMs: number): Promise<number | null> {
      const [found] = await of(key)
        .find({ _id: segmentRange(key), maxAtMs: { $gte: atMs } }, { projection: { bodies: 0 } })
        .sort({ _id: 1 })
        .limit(1)
        .toArray();
      return found === undefined ? null : (factsOf(found).find((fact) => fact.atMs >= atMs)?.seq ?? null);
    },

    /** Messages by `sender` with seq > after. */
    async sentSince(key: number, sender: string, after: number): Promise<number> {
      const found = await of(key)
        .find<Pick<Segment, "from" | "ids" | "facts">>(
          { key, senders: sender, last: { $gt: after } },
          { projection: { from: 1, ids: 1, facts: 1 } },
        )
        .toArray();
      return found
        .flatMap(factsOf)
        .filter((fact) => fact.seq > after && fact.sender === sender && fact.kind === "message").length;
    },
  };
}
