/**
 * Group commit: while one append of a room is under way, what comes for it waits and shares the next. Store first, then
 * publish, then answer. The store's keys, not this process's memory, decide whether an append is right: a conflict reloads
 * the head, looks the waiting ids up and tries again.
 */
import { Refusal } from "@parley/protocol";
import { type LogHead, type RoomAppend, type RoomLog, StoreUnavailable } from "@parley/store";
import type { Draft } from "./entry.ts";
import { type Earlier, idOf, numberEntries } from "./number-entries.ts";

export interface Appended {
  seq: number;
  atMs: number;
  /** The entry was there before. */
  duplicate: boolean;
}

interface Pending {
  draft: Draft;
  tries: number;
  resolve: (appended: Appended) => void;
  reject: (error: Error) => void;
}

/** The part of a room's state that belongs to its log. */
export interface Lane {
  readonly key: number;
  /** Null when it must be read before the next append. */
  head: LogHead | null;
  /** Ids of the newest entries, so that a repeat seldom costs a look-up. */
  recent: Map<string, Earlier>;
  waiting: Pending[];
  busy: boolean;
}

export const createLane = (key: number, head: LogHead | null): Lane => ({
  key,
  head,
  recent: new Map(),
  waiting: [],
  busy: false,
});

/** What became of an append, for whoever publishes: entries ascending by seq. */
export type Publish<L extends Lane> = (lane: L, entries: { seq: number; draft: Draft; body: string }[]) => void;

export interface AppenderOptions<L extends Lane> {
  log: RoomLog;
  publish: Publish<L>;
  /** A repeat whose entry this process may not have published: told again, as its writer may have died before it could. */
  republish: (lane: L, seq: number) => void;
  /** How long a write to the store took: for figures. */
  onWrite?: (elapsedMs: number) => void;
  now?: () => number;
}

export interface AppendCounts {
  /** Entries stored. */
  entries: number;
  /** Repeats answered without storing anything. */
  repeats: number;
  /** A room's appends that another writer was quicker with. */
  conflicts: number;
  /** Writes that the store did not take. */
  failures: number;
}

export interface Appender<L extends Lane> {
  /** Resolves once the entry is on durable storage and published. Rejects with a Refusal. */
  append(lane: L, draft: Draft): Promise<Appended>;
  counts: AppendCounts;
  /** Appends that have no answer yet. */
  pending(): number;
}

const maxEntries = 500;
/** A store keeps an append as one piece, which has a greatest size. */
const maxChars = 2_000_000;
const maxTries = 20;
const maxRecent = 512;

const unavailable = (cause: unknown) =>
  Object.assign(new Refusal("unavailable", "The store can't be written to for the moment; send it again"), { cause });

/** How many of those that wait make the next append: one at least. */
function batchLength(waiting: readonly Pending[]): number {
  let chars = 0;
  let length = 0;
  for (const { draft } of waiting) {
    chars += draft.fieldsJson.length;
    if (length === maxEntries || (length > 0 && chars > maxChars)) break;
    length++;
  }
  return length;
}

export function createAppender<L extends Lane>(options: AppenderOptions<L>): Appender<L> {
  const { log, publish, republish } = options;
  const now = options.now ?? Date.now;
  let ready: L[] = [];
  let scheduled = false;
  let pending = 0;
  const counts: AppendCounts = { entries: 0, repeats: 0, conflicts: 0, failures: 0 };

  const remember = (lane: L, id: string, earlier: Earlier) => {
    lane.recent.set(id, earlier);
    if (lane.recent.size > maxRecent) lane.recent.delete(lane.recent.keys().next().value as string);
  };

  const rejectAll = (items: Pending[], error: Error) => {
    pending -= items.length;
    for (const item of items) item.reject(error);
  };

  /** What waits behind a refused one is refused with it: stored, it would come before what was sent before it. */
  const rejectInOrder = (lane: L, items: Pending[], error: Error) =>
    rejectAll([...items, ...lane.waiting.splice(0)], error);

  const makeReady = (lane: L) => {
    if (lane.busy || lane.waiting.length === 0) return;
    lane.busy = true;
    ready.push(lane);
    if (scheduled) return;
    scheduled = true;
    // After all of this turn's batch was handed over: it becomes one write.
    queueMicrotask(flush);
  };

  const release = (lane: L) => {
    lane.busy = false;
    makeReady(lane);
  };

  const flush = () => {
    scheduled = false;
    const lanes = ready;
    ready = [];
    const appends: RoomAppend[] = [];
    const batches: { lane: L; items: Pending[]; append: RoomAppend }[] = [];
    const atMs = now();
    for (const lane of lanes) {
      if (!lane.head) {
        void reload(lane);
        continue;
      }
      const items = lane.waiting.splice(0, batchLength(lane.waiting));
      const { entries, verdicts } = numberEntries(
        lane.head,
        items.map((item) => item.draft),
        (id) => lane.recent.get(id),
        atMs,
      );
      const fresh: Pending[] = [];
      const later: Pending[] = [];
      verdicts.forEach((verdict, i) => {
        const item = items[i] as Pending;
        if (verdict.kind === "new") {
          fresh.push(item);
        } else if (verdict.kind === "conflict") {
          rejectAll([item], new Refusal("conflict"));
        } else if (verdict.within) {
          // True only once the batch that it repeats is stored: it waits for that, and is then a repeat of what is known.
          later.push(item);
        } else {
          const { seq, atMs } = verdict.earlier;
          pending--;
          counts.repeats++;
          item.resolve({ seq, atMs, duplicate: true });
        }
      });
      lane.waiting.unshift(...later);
      if (entries.length === 0) {
        release(lane);
        continue;
      }
      const redactions = fresh.flatMap((item) => item.draft.redactions ?? []);
      const append: RoomAppend =
        redactions.length > 0 ? { key: lane.key, entries, redactions } : { key: lane.key, entries };
      appends.push(append);
      batches.push({ lane, items: fresh, append });
    }
    if (appends.length === 0) return;
    const sentAtMs = performance.now();
    log.append(appends).then(
      (outcomes) => {
        options.onWrite?.(performance.now() - sentAtMs);
        outcomes.forEach((outcome, i) => {
          const { lane, items, append } = batches[i] as (typeof batches)[number];
          if (outcome === "appended") stored(lane, items, append);
          else contested(lane, items);
          release(lane);
        });
      },
      (error) => {
        counts.failures++;
        for (const { lane, items } of batches) {
          // Whether it was stored is not known: the next append reads the head first, and its keys refuse a repeat.
          lane.head = null;
          rejectInOrder(lane, items, unavailable(error));
          release(lane);
        }
      },
    );
  };

  const stored = (lane: L, items: Pending[], append: RoomAppend) => {
    const { entries } = append;
    const last = entries[entries.length - 1] as (typeof entries)[number];
    lane.head = { seq: last.seq, count: last.count, start: (lane.head as LogHead).start };
    publish(
      lane,
      entries.map((entry, i) => ({ seq: entry.seq, draft: (items[i] as Pending).draft, body: entry.body })),
    );
    pending -= items.length;
    counts.entries += entries.length;
    for (let i = 0; i < entries.length; i++) {
      const { seq, digest, atMs } = entries[i] as (typeof entries)[number];
      const item = items[i] as Pending;
      remember(lane, idOf(item.draft), { seq, digest, atMs });
      item.resolve({ seq, atMs, duplicate: false });
    }
  };

  const contested = (lane: L, items: Pending[]) => {
    counts.conflicts++;
    lane.head = null;
    for (const item of items) item.tries++;
    // The first has waited longest.
    if ((items[0] as Pending).tries > maxTries)
      rejectInOrder(lane, items, unavailable(new Error("other writers were quicker every time")));
    else lane.waiting.unshift(...items);
  };

  /** Reads the head, and what is known of the ids that wait. The lane is busy meanwhile. */
  const reload = async (lane: L) => {
    const items = [...lane.waiting];
    try {
      // The head first: what another writer adds after it makes the append fail, and be looked up again.
      const [head] = await log.heads([lane.key]);
      const found = await log.find(
        lane.key,
        items.map(({ draft }) => ({ sender: draft.sender, clientMessageId: draft.clientMessageId })),
      );
      found.forEach((earlier, i) => {
        if (!earlier) return;
        const { draft } = items[i] as Pending;
        if (!lane.recent.has(idOf(draft))) republish(lane, earlier.seq);
        remember(lane, idOf(draft), earlier);
      });
      lane.head = head ?? null;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      rejectAll(lane.waiting.splice(0), unavailable(error));
    }
    release(lane);
  };

  return {
    append: (lane, draft) =>
      new Promise((resolve, reject) => {
        pending++;
        lane.waiting.push({ draft, tries: 0, resolve, reject });
        makeReady(lane);
      }),
    counts,
    pending: () => pending,
  };
}
