import type { Entry } from "@parley/protocol";
import { foldEntry, type Message } from "./fold.ts";
import { orderEntries } from "./order.ts";

/** A room's log as far as this client holds it: one piece without holes, and the messages it amounts to. */
export interface Timeline {
  /** Everything up to here was given out. */
  readonly last: number;
  /** Nothing below this seq is held. */
  readonly first: number;
  /** Forgets all that is there; the log goes on after `last`. */
  restart(last: number): void;
  /** Forgets what came too early: the next link begins with what is missing. */
  dropHeld(): void;
  /** Keeps an entry until the next `add`. */
  hold(entry: Entry): void;
  /** Takes entries in any order; answers those that continue the log. */
  add(entries: Entry[]): Entry[];
  /** Takes a page of what lies directly below `first`. */
  prepend(entries: Entry[]): void;
  /** Something after `last` is known to exist and is not here. */
  missing(): boolean;
  /** The log has at least this many entries. */
  expect(head: number): void;
  /** Forgets the oldest beyond `keep` entries; answers whether it did. */
  trim(keep: number): boolean;
  messages(): readonly Message[];
}

export function createTimeline(): Timeline {
  let entries: Entry[] = [];
  let held: Entry[] = [];
  let folded = new Map<number, Message>();
  let last = 0;
  let head = 0;

  const refold = () => {
    folded = new Map();
    for (const entry of entries) foldEntry(folded, entry);
  };

  return {
    get last() {
      return last;
    },
    get first() {
      return entries[0]?.seq ?? last + 1;
    },
    restart(at) {
      entries = [];
      folded = new Map();
      last = at;
      head = at;
    },
    dropHeld() {
      held = [];
    },
    hold(entry) {
      held = [...held, entry];
    },
    add(incoming) {
      const ordered = orderEntries(last, held, incoming);
      held = ordered.held;
      for (const entry of ordered.ready) {
        entries.push(entry);
        foldEntry(folded, entry);
      }
      last += ordered.ready.length;
      return ordered.ready;
    },
    prepend(older) {
      const first = entries[0]?.seq ?? last + 1;
      entries = [...older.filter((entry) => entry.seq < first), ...entries];
      refold();
    },
    missing: () => held.length > 0 || last < head,
    expect(seq) {
      head = Math.max(head, seq);
    },
    trim(keep) {
      // In large steps: each costs a fold of all that stays.
      if (entries.length <= keep * 1.25) return false;
      entries = entries.slice(-keep);
      refold();
      return true;
    },
    messages: () => [...folded.values()],
  };
}
