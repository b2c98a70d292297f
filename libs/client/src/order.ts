/** Where entries stand in a log. */
export interface Numbered {
  seq: number;
}

export interface Ordered<Entry> {
  /** Continues the log after `last`, ascending, with no hole and no repeat. */
  ready: Entry[];
  /** Came too early: waits for what lies before it. Ascending. */
  held: Entry[];
}

/**
 * Sorts what arrived into a log that is complete up to `last`. Numbers have no holes, so what is held behind a gap shows
 * exactly what is missing: from `last + ready.length + 1` up to the first held.
 */
export function orderEntries<Entry extends Numbered>(last: number, held: Entry[], incoming: Entry[]): Ordered<Entry> {
  // The common case: nothing waits, and what comes is what follows.
  if (held.length === 0 && incoming.length === 1 && incoming[0]!.seq === last + 1) return { ready: incoming, held };
  const bySeq = new Map<number, Entry>();
  for (const entry of [...held, ...incoming]) if (entry.seq > last) bySeq.set(entry.seq, entry);
  const sorted = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  let count = 0;
  while (sorted[count]?.seq === last + count + 1) count++;
  return { ready: sorted.slice(0, count), held: sorted.slice(count) };
}
