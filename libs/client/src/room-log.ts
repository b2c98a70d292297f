import type { Entry, HistoryData, JoinData } from "@parley/protocol";
import type { Connection } from "./connection.ts";
import type { ParleyError } from "./errors.ts";
import { createTimeline } from "./timeline.ts";

export interface JoinOptions {
  /** Hear every entry after this seq (0: from the log's start), instead of beginning with the newest. */
  since?: number;
  /** How many of the newest entries to load. 50 unless given; none with `since`. */
  history?: number;
}

/** Whom a room's log tells what happens to it. */
interface Told {
  /** The next entry, in order. */
  entry(entry: Entry): void;
  /** What was held is void; the log goes on after `last`. */
  reset(): void;
  /** Something can look different. */
  changed(): void;
}

/**
 * A room's log as this client holds it: fed by joining, by live entries and by History, it gives each entry out once and
 * in order, and fetches what is missing.
 */
export function createRoomLog(name: string, connection: Connection, keep: number, told: Told) {
  const timeline = createTimeline();
  let epoch: string | null = null;
  /** Live entries follow: this session is in the room. */
  let live = false;
  let more = false;
  /** Older pages were asked for: the person looks at them, so nothing is trimmed. */
  let paged = false;
  let follow: number | null = null;
  let firstPage = 50;
  let filling = false;
  let paging: Promise<boolean> | null = null;

  function add(entries: Entry[]) {
    const ready = timeline.add(entries);
    for (const entry of ready) told.entry(entry);
    if (!paged && timeline.trim(keep)) more = true;
    if (ready.length > 0) told.changed();
  }

  function restart(last: number, lost: boolean) {
    timeline.restart(last);
    more = last > 0;
    paged = false;
    if (lost) told.reset();
    told.changed();
  }

  /** Fetches what lies between what is held and what is known to exist. */
  async function fill() {
    if (filling) return;
    filling = true;
    while (live && timeline.missing()) {
      try {
        const data = await connection.call<HistoryData>("History", { room: name, after: timeline.last, limit: 200 });
        const first = data.entries[0];
        if (!live || data.epoch !== epoch || !first) break;
        if (first.seq > timeline.last + 1) {
          // What lay between is no longer kept.
          restart(first.seq - 1, true);
          more = false;
        }
        timeline.expect(data.head);
        add(data.entries);
      } catch (error) {
        if (!(error as ParleyError).retryable) break;
      }
    }
    filling = false;
  }

  async function page(limit: number): Promise<boolean> {
    const before = timeline.first;
    const data = await connection.call<HistoryData>("History", { room: name, before, limit });
    if (data.epoch === epoch && before === timeline.first) {
      timeline.prepend(data.entries);
      more = data.more;
      told.changed();
    }
    return more;
  }

  return {
    get live() {
      return live;
    },
    get last() {
      return timeline.last;
    },
    get more() {
      return more;
    },
    messages: timeline.messages,
    /** How to begin, if nothing is held yet. */
    begin(options: JoinOptions) {
      if (epoch !== null) return;
      follow = options.since ?? null;
      firstPage = follow === null ? (options.history ?? 50) : 0;
    },
    /** Where to go on; null when there is nothing to go on with. */
    position: () => (epoch === null ? null : { since: timeline.last, epoch }),
    /** What to ask of JoinRoom. */
    since: () => (epoch !== null ? { since: timeline.last, epoch } : follow !== null ? { since: follow } : {}),
    /** The session is in the room. Resolves when the first page is there. */
    async joined(data: JoinData): Promise<void> {
      const first = epoch === null;
      const lost = !data.recovered || (!first && data.epoch !== epoch);
      live = true;
      epoch = data.epoch;
      if (first || lost) restart(follow === null ? data.head : lost ? 0 : follow, lost);
      add(data.missed);
      timeline.expect(data.head);
      if (timeline.missing()) void fill();
      const empty = timeline.first === timeline.last + 1;
      if (empty && more && firstPage > 0) await page(firstPage).catch(() => {});
    },
    /** A live entry. One that comes before the word on joining waits for it. */
    receive(entry: Entry) {
      if (!live) return timeline.hold(entry);
      add([entry]);
      if (timeline.missing()) void fill();
    },
    /** The session is not in the room any more; what is held stays. */
    stop() {
      live = false;
      timeline.dropHeld();
    },
    /** The log itself is gone. */
    lose() {
      live = false;
      epoch = null;
      timeline.dropHeld();
      restart(0, true);
    },
    /** Loads older entries; answers whether there are still more. */
    history(limit: number): Promise<boolean> {
      if (!more) return Promise.resolve(false);
      paged = true;
      paging ??= page(limit).finally(() => {
        paging = null;
      });
      return paging;
    },
  };
}
