/**
 * Appends. Each room has a lane: one append of it is under way at a time. What the lanes have ready goes out together, in
 * one unordered insert for many rooms, in which each room's document stands or falls alone. While as many inserts are
 * under way as may be, what comes waits and shares the next one (group commit).
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppendOutcome, RoomAppend } from "../room-log.ts";
import { StoreUnavailable } from "../store.ts";
import type { MongoConnection } from "./connection.ts";
import { duplicatesIn, storeError } from "./errors.ts";
import { idText, isConsistent, type Segment, segmentOf, segmentRange } from "./segment.ts";
import type { Segments } from "./segments.ts";

interface Job {
  append: RoomAppend;
  /** When whoever asked for it has been told that the store does not answer. */
  untilMs: number;
  resolve(outcome: AppendOutcome): void;
  reject(error: unknown): void;
}

interface Lane {
  key: number;
  /** A number that the head has reached for good; null when it must be read. */
  head: number | null;
  /** Where the server can't tell a repeated id: all ids up to `head`. */
  ids: Set<string> | null;
  /** The room is gone. */
  ended: boolean;
  jobs: Job[];
  busy: boolean;
}

interface Insert {
  segment: Segment;
  done(outcome: AppendOutcome): void;
  failed(error: unknown): void;
}

const maxLanes = 50_000;
const maxDocuments = 1_000;
/** The server takes 48 MB in one message. */
const maxBytes = 16_000_000;
/** One document may have 16 MiB; the port promises less than that to an append. */
const maxSegmentBytes = 15_000_000;
/** How long another writer's entry may take to reach a majority, before this one is told of a conflict all the same. */
const settleMs = 2_000;

const bytesOf = ({ bodies }: Segment): number => bodies.reduce((sum, body) => sum + body.length * 3, 1_000);

export interface LogWriterOptions {
  connection: MongoConnection;
  segments: Segments;
  /** Whether a room has this key. */
  roomExists(key: number): Promise<boolean>;
  /** Blanks what the segment says is to be blanked elsewhere. */
  redact(segment: Pick<Segment, "_id" | "key" | "redact">): Promise<void>;
}

export function logWriter({ connection, segments, roomExists, redact }: LogWriterOptions) {
  const { capabilities, majority, timeoutMs } = connection;
  const lanes = new Map<number, Lane>();
  let waiting: Insert[] = [];
  let scheduled = false;
  let underWay = 0;

  function laneOf(key: number): Lane {
    const known = lanes.get(key);
    if (known) return known;
    for (const [other, lane] of lanes) {
      if (lanes.size < maxLanes) break;
      if (!lane.busy) lanes.delete(other);
    }
    const lane: Lane = { key, head: null, ids: null, ended: false, jobs: [], busy: false };
    lanes.set(key, lane);
    return lane;
  }

  /** Reads where the log ends, and finishes what its last append left undone. */
  async function look(lane: Lane): Promise<void> {
    const newest = await segments.newest(lane.key);
    if (newest?.redact) await redact({ ...newest, key: lane.key });
    if (newest?.end || (newest === null && !(await roomExists(lane.key)))) {
      lane.ended = newest !== null;
      lane.head = null;
      return;
    }
    const before = lane.ids === null ? 0 : (lane.head ?? 0);
    lane.head = newest?.last ?? 0;
    if (capabilities.uniqueElements) return;
    lane.ids ??= new Set();
    const found = segments
      .of(lane.key)
      .find({ _id: segmentRange(lane.key), last: { $gt: before } }, { projection: { ids: 1, last: 1 } });
    for await (const { ids, last } of found) {
      for (const id of ids) lane.ids.add(id);
      lane.head = Math.max(lane.head, last);
    }
  }

  /** The ids that this process believes to be there, and are: retention may have taken some. */
  async function repeats(lane: Lane, ids: string[]): Promise<boolean> {
    const known = ids.filter((id) => lane.ids?.has(id));
    if (known.length === 0) return false;
    const there = new Set((await segments.withIds(lane.key, known)).flatMap((segment) => segment.ids));
    for (const id of known) if (!there.has(id)) lane.ids?.delete(id);
    return known.some((id) => there.has(id));
  }

  /**
   * Another writer's entry is there, but a majority may not have it yet, and reads pass it over so long: waits, so that
   * whoever is told of the conflict then sees it.
   */
  async function settled(key: number, seq: number): Promise<void> {
    const until = performance.now() + settleMs;
    for (let waitMs = 1; performance.now() < until; waitMs = Math.min(50, waitMs * 2)) {
      const newest = await segments.newest(key);
      if (newest !== null && newest.last >= seq) return;
      await sleep(waitMs);
    }
  }

  async function refused(lane: Lane, segment: Segment): Promise<AppendOutcome> {
    const { _id, writer, from } = segment;
    const there = await segments.of(lane.key).findOne({ _id }, { readConcern: { level: "local" } });
    // The driver repeats an insert whose answer was lost: then what stands in the way is this very append.
    if (there?.writer === writer) {
      if (majority) await settled(lane.key, segment.last);
      return "appended";
    }
    lane.head = null;
    if (there !== null && majority) await settled(lane.key, from);
    return "conflict";
  }

  async function append(lane: Lane, append: RoomAppend): Promise<AppendOutcome> {
    if (!isConsistent(append)) return "conflict";
    const [first] = append.entries;
    if (first === undefined && !append.redactions?.length) return "appended";
    if (lane.head === null || (first !== undefined && first.seq > lane.head + 1)) await look(lane);
    if (lane.head === null) return "conflict";
    if (first === undefined) {
      await redact({ _id: "", key: lane.key, redact: append.redactions ?? [] });
      return "appended";
    }
    if (first.seq !== lane.head + 1) return "conflict";
    const segment = segmentOf(append, randomUUID());
    if (bytesOf(segment) > maxSegmentBytes) {
      throw new Error(`An append of ${append.entries.length} entries is larger than ${maxSegmentBytes} bytes`);
    }
    if (await repeats(lane, segment.ids)) return "conflict";
    const outcome = await insert(segment);
    if (outcome === "conflict" && (await refused(lane, segment)) === "conflict") return "conflict";
    lane.head = segment.last;
    for (const id of segment.ids) lane.ids?.add(id);
    if (segment.redact) await redact(segment);
    return "appended";
  }

  async function work(lane: Lane): Promise<void> {
    lane.busy = true;
    for (let job = lane.jobs.shift(); job !== undefined; job = lane.jobs.shift()) {
      // Nobody waits for it any more, and its repeat stands behind it: a store that fell behind would never catch up.
      if (performance.now() > job.untilMs) {
        job.reject(new StoreUnavailable("An append waited too long behind others of its room"));
        continue;
      }
      try {
        job.resolve(lane.ended ? "conflict" : await append(lane, job.append));
      } catch (error) {
        // It may be there or not.
        lane.head = null;
        job.reject(storeError(error));
      }
    }
    lane.busy = false;
  }

  function insert(segment: Segment): Promise<AppendOutcome> {
    return new Promise((done, failed) => {
      waiting.push({ segment, done, failed });
      if (scheduled) return;
      scheduled = true;
      // After all lanes of this turn have handed over theirs.
      setImmediate(() => {
        scheduled = false;
        send();
      });
    });
  }

  function send(): void {
    while (underWay < capabilities.insertsAtOnce && waiting.length > 0) {
      const into = segments.of(waiting[0]!.segment.key);
      const batch: Insert[] = [];
      const rest: Insert[] = [];
      let bytes = 0;
      for (const item of waiting) {
        const fits = batch.length < maxDocuments && bytes < maxBytes;
        if (fits && segments.of(item.segment.key) === into) {
          batch.push(item);
          bytes += bytesOf(item.segment);
        } else rest.push(item);
      }
      waiting = rest;
      underWay++;
      void commit(into, batch).finally(() => {
        underWay--;
        send();
      });
    }
  }

  async function commit(into: ReturnType<Segments["of"]>, batch: Insert[]): Promise<void> {
    try {
      await into.insertMany(
        batch.map(({ segment }) => segment),
        { ordered: false },
      );
      for (const { done } of batch) done("appended");
    } catch (error) {
      const duplicates = duplicatesIn(error);
      batch.forEach(({ done, failed }, i) => {
        if (duplicates === null) failed(error);
        else done(duplicates.has(i) ? "conflict" : "appended");
      });
    }
  }

  return {
    append(appends: RoomAppend[]): Promise<AppendOutcome[]> {
      const untilMs = performance.now() + timeoutMs;
      return Promise.all(
        appends.map(
          (append) =>
            new Promise<AppendOutcome>((resolve, reject) => {
              const lane = laneOf(append.key);
              lane.jobs.push({ append, untilMs, resolve, reject });
              if (!lane.busy) void work(lane);
            }),
        ),
      );
    },

    /** Makes sure that nobody writes to this log again. */
    async end(key: number, expireAt: Date): Promise<void> {
      for (;;) {
        const newest = await segments.newest(key);
        if (newest?.end) return;
        const last = newest?.last ?? 0;
        const segment: Segment = {
          ...segmentOf({ key, entries: [{ ...nothing, seq: last + 1, count: newest?.count ?? 0 }] }, randomUUID()),
          ...{ from: last + 1, last, ids: [], senders: [], facts: "[]", bodies: [], maxAtMs: 0, end: true, expireAt },
        };
        if ((await insert(segment)) === "appended") return;
        await sleep(2);
      }
    },
  };
}

const nothing = {
  kind: "system",
  sender: "",
  clientMessageId: idText("", ""),
  digest: 0,
  atMs: 0,
  target: null,
  body: "",
} as const;
