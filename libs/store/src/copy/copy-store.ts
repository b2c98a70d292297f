/**
 * Moves what a SQLite store holds to a MongoDB. It may be stopped at any point and begun again: what is there is not
 * written again. In the end both sides are read and compared, room by room.
 */
import { createHash } from "node:crypto";
import { connectMongo, type MongoConnection } from "../mongodb/connection.ts";
import { recordsOf } from "../mongodb/records.ts";
import { migrate } from "../mongodb/schema.ts";
import { entriesOf, segmentOf, segmentRange } from "../mongodb/segment.ts";
import { type Segments, segmentsOf } from "../mongodb/segments.ts";
import type { StoredEntry } from "../room-log.ts";
import { openSqliteStore } from "../sqlite/sqlite-store.ts";
import type { Store } from "../store.ts";
import { type Doc, openTables, type SqliteTables, tables } from "./sqlite-tables.ts";

export interface CopyOptions {
  /** Absolute path of a SQLite store's file. No service may write to it meanwhile. */
  from: string;
  /** `mongodb://…`; a database that holds nothing, or what an earlier run of the same copy left. */
  to: string;
  /** Copies anew into what a finished copy left; what was written there since under the same names is lost. */
  again?: boolean;
  progress?(progress: CopyProgress): void;
}

export interface CopyProgress {
  stage: "tables" | "logs" | "checking";
  /** Documents or entries. */
  done: number;
  total: number;
}

export interface CopyResult {
  rooms: number;
  /** Entries of all logs. */
  entries: number;
  /** Of them those that this run wrote; the rest was there. */
  written: number;
  /** Documents by collection, the same on both sides. */
  documents: Record<string, number>;
}

/** The copy can't be made, or is not the same; the message says what to do. */
export class CopyError extends Error {
  override name = "CopyError";
}

/** Entries read at once and kept as one segment. */
const entriesAtOnce = 500;
/** Bodies of this many bytes end a segment early: a document has a greatest size. */
const segmentBytes = 4_000_000;
/** FerretDB 1 keeps a connection to its file for each update of one message that finds its document; of 100 it stands still. */
const documentsAtOnce = 50;

interface CopyMark {
  _id: "copy";
  from: string;
  startedAt: Date;
  finishedAt: Date | null;
}

interface Side {
  source: Store;
  file: SqliteTables;
  connection: MongoConnection;
  segments: Segments;
}

export async function copyStore(options: CopyOptions): Promise<CopyResult> {
  const file = openTables(options.from);
  const source = await openSqliteStore(options.from);
  const connection = await connectMongo(options.to, { timeoutMs: 30_000 });
  try {
    await migrate(connection, recordsOf(connection));
    const side = { source, file, connection, segments: segmentsOf(connection) };
    await claim(connection, options);
    const result = await copyAll(side, options.progress ?? (() => {}));
    await connection.collection<CopyMark>("copies").updateOne({ _id: "copy" }, { $set: { finishedAt: new Date() } });
    return result;
  } finally {
    await Promise.all([source.close(), connection.close()]);
    file.close();
  }
}

/** Refuses a destination that is in use: what is there would be overwritten. */
async function claim(connection: MongoConnection, { from, again }: CopyOptions): Promise<void> {
  const marks = connection.collection<CopyMark>("copies");
  const mark = await marks.findOne({ _id: "copy" });
  const name = connection.db.databaseName;
  if (mark === null) {
    const [room, user] = await Promise.all(["rooms", "users"].map((of) => connection.collection(of).findOne({})));
    if (room || user) throw new CopyError(`The database "${name}" has rooms or users already: name an empty one`);
    await marks.insertOne({ _id: "copy", from, startedAt: new Date(), finishedAt: null });
    return;
  }
  if (mark.from !== from) {
    throw new CopyError(
      `The database "${name}" was begun as a copy of ${mark.from}, not of ${from}: name an empty one`,
    );
  }
  if (mark.finishedAt !== null && !again) {
    throw new CopyError(
      `The copy in "${name}" was finished at ${mark.finishedAt.toISOString()}; --again copies once more, over what was written there since`,
    );
  }
  await marks.updateOne({ _id: "copy" }, { $set: { finishedAt: null } });
}

async function copyAll(side: Side, progress: (progress: CopyProgress) => void): Promise<CopyResult> {
  const { source, file } = side;
  const documents = await copyTables(side, progress);
  const rooms = file.rooms();
  const heads = await source.log.heads(rooms.map(({ key }) => key));
  const lengths = heads.map(({ seq, start }) => seq - start + 1);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let done = 0;
  let written = 0;
  const step = (stage: "logs" | "checking", entries: number) => {
    done += entries;
    progress({ stage, done, total });
  };
  for (const [i, { key }] of rooms.entries()) {
    const before = done;
    written += await copyLog(side, key, heads[i]!, (entries) => step("logs", entries));
    step("logs", lengths[i]! - (done - before));
  }
  done = 0;
  for (const [i, { key, name }] of rooms.entries()) {
    if (!(await sameLog(side, key, heads[i]!))) {
      // What was blanked after it was copied looks like this: once more from the start.
      await side.segments.of(key).deleteMany({ _id: segmentRange(key) });
      written += await copyLog(side, key, heads[i]!, () => {});
      if (!(await sameLog(side, key, heads[i]!))) {
        throw new CopyError(
          `The log of the room "${name}" differs after the copy: does a service still write to the source?`,
        );
      }
    }
    step("checking", lengths[i]!);
  }
  return { rooms: rooms.length, entries: total, written, documents };
}

async function copyTables({ file, connection }: Side, progress: (progress: CopyProgress) => void) {
  const counts = Object.fromEntries(Object.keys(tables).map((name) => [name, file.count(name)]));
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  let done = 0;
  for (const name of Object.keys(tables)) {
    const into = connection.collection<Doc>(name);
    const write = async (docs: Doc[]): Promise<void> => {
      if (docs.length === 0) return;
      const writes = docs.map(({ _id, ...replacement }) => ({
        replaceOne: { filter: { _id }, replacement, upsert: true },
      }));
      await into.bulkWrite(writes, { ordered: false });
      done += docs.length;
      progress({ stage: "tables", done, total });
    };
    let docs: Doc[] = [];
    for (const doc of file.rows(name)) {
      if (docs.push(doc) < documentsAtOnce) continue;
      await write(docs);
      docs = [];
    }
    await write(docs);
    const there = await into.countDocuments({});
    if (there !== counts[name]) {
      throw new CopyError(`"${name}" has ${there} documents after the copy, and the source has ${counts[name]}`);
    }
  }
  return counts;
}

interface Span {
  seq: number;
  start: number;
}

/** The source's entries from `from` on, in pieces that make a segment each. */
async function* piecesOf(source: Store, key: number, from: number, { seq }: Span): AsyncGenerator<StoredEntry[]> {
  for (let next = from; next <= seq; ) {
    const count = Math.min(entriesAtOnce, seq - next + 1);
    const read = await Promise.all(Array.from({ length: count }, (_, i) => source.log.get(key, next + i)));
    let piece: StoredEntry[] = [];
    let bytes = 0;
    for (const entry of read) {
      if (entry === null)
        throw new CopyError(`Entry ${next + piece.length} of log ${key} is gone from the source: is it still in use?`);
      if (piece.length > 0 && bytes + Buffer.byteLength(entry.body) > segmentBytes) {
        yield piece;
        piece = [];
        bytes = 0;
      }
      piece.push(entry);
      bytes += Buffer.byteLength(entry.body);
    }
    yield piece;
    next += count;
  }
}

/** Goes on where the destination's log ends; answers how many entries it wrote. */
async function copyLog(
  { source, segments }: Side,
  key: number,
  span: Span,
  step: (entries: number) => void,
): Promise<number> {
  if (span.seq === 0) return 0;
  const newest = await segments.newest(key);
  const from = newest === null ? span.start : newest.last + 1;
  let written = 0;
  step(from - span.start);
  for await (const piece of piecesOf(source, key, from, span)) {
    const deleted = piece.filter((entry) => entry.deleted).map(({ seq }) => seq);
    const segment = segmentOf({ key, entries: piece }, "copy");
    await segments.of(key).insertOne(deleted.length > 0 ? { ...segment, deleted } : segment);
    written += piece.length;
    step(piece.length);
  }
  return written;
}

/** Whether both sides have the same entries, by a checksum over all that is stored of them. */
async function sameLog({ source, segments }: Side, key: number, span: Span): Promise<boolean> {
  const ours = createHash("sha256");
  if (span.seq > 0)
    for await (const piece of piecesOf(source, key, span.start, span))
      for (const entry of piece) ours.update(lineOf(entry));
  const theirs = createHash("sha256");
  for await (const segment of segments
    .of(key)
    .find({ _id: segmentRange(key) })
    .sort({ _id: 1 })
    .batchSize(4)) {
    for (const entry of entriesOf(segment)) theirs.update(lineOf(entry));
  }
  return ours.digest("hex") === theirs.digest("hex");
}

const lineOf = (e: StoredEntry): string =>
  `${JSON.stringify([e.seq, e.count, e.kind, e.sender, e.clientMessageId, e.digest, e.atMs, e.target, e.deleted, e.body])}\n`;
