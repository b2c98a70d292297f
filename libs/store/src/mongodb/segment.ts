/**
 * How the log lies in MongoDB: one document for each append, so that an append stands or falls as one on any server,
 * without a transaction. Its `_id` is the room's key and the number of its first entry: of two writers at one head the
 * server takes one.
 */
import { type EntryKind, entryKinds, type RoomAppend, type StoredEntry } from "../room-log.ts";

export interface Segment {
  _id: string;
  key: number;
  /** Made anew for each append: tells a writer whose insert was repeated that what is there is its own. */
  writer: string;
  /** Grows with each change, so that two changes never undo each other. */
  rev: number;
  /** The oldest entry still kept of it; its first, unless retention took some. */
  from: number;
  last: number;
  /** Messages up to and with `last`. */
  count: number;
  maxAtMs: number;
  /** `sender\nclientMessageId` of each entry: unique in the room. */
  ids: string[];
  /** Who wrote messages of it. */
  senders: string[];
  /** JSON of [kind, count, digest, atMs, target] of each entry. Text, because a page needs the bodies alone. */
  facts: string;
  bodies: string[];
  /** Entries that were blanked. */
  deleted?: number[];
  /** Targets of its edits. */
  edits?: number[];
  /** Bodies that this append blanks elsewhere, until that is done. */
  redact?: { seq: number; body: string }[];
  /** The room is gone: nobody can write after this. */
  end?: true;
  /** When an end may be forgotten. */
  expireAt?: Date;
}

type Fact = [kind: number, count: number, digest: number, atMs: number, target: number | null];

const kindOf = new Map<number, EntryKind>(
  Object.entries(entryKinds).map(([kind, number]) => [number, kind as EntryKind]),
);

/** Keys have 48 bits; twelve digits are a million messages a second for eleven days. */
const keyDigits = 15;
const seqDigits = 12;

const keyText = (key: number): string => String(key).padStart(keyDigits, "0");
export const segmentId = (key: number, first: number): string =>
  `${keyText(key)}:${String(Math.min(first, 10 ** seqDigits - 1)).padStart(seqDigits, "0")}`;
/** Above every id of the key's segments; ";" follows ":". */
const beyond = (key: number): string => `${keyText(key)};`;

/** The ids of a key's segments that begin within these bounds. */
export const segmentRange = (key: number, from = 0): { $gte: string; $lt: string } => ({
  $gte: segmentId(key, from),
  $lt: beyond(key),
});

export const idText = (sender: string, clientMessageId: string): string => `${sender}\n${clientMessageId}`;

/** Whether the entries are numbered one after another, and none repeats another's id: what no server can check. */
export function isConsistent({ entries }: RoomAppend): boolean {
  const ids = new Set<string>();
  return entries.every(({ seq, sender, clientMessageId }, i) => {
    ids.add(idText(sender, clientMessageId));
    return seq === entries[0]!.seq + i && ids.size === i + 1;
  });
}

/** The document of an append, which has one entry at least. */
export function segmentOf({ key, entries, redactions = [] }: RoomAppend, writer: string): Segment {
  const first = entries[0]!;
  const last = entries.at(-1)!;
  const bodies = entries.map(({ body }) => body);
  const deleted: number[] = [];
  const elsewhere = redactions.filter(({ seq, body }) => {
    if (seq < first.seq || seq > last.seq) return seq < first.seq;
    bodies[seq - first.seq] = body;
    deleted.push(seq);
    return false;
  });
  const edits = entries.flatMap(({ kind, target }) => (kind === "edited" && target !== null ? [target] : []));
  const facts = entries.map((e): Fact => [entryKinds[e.kind], e.count, e.digest, e.atMs, e.target]);
  return {
    _id: segmentId(key, first.seq),
    key,
    writer,
    rev: 0,
    from: first.seq,
    last: last.seq,
    count: last.count,
    maxAtMs: Math.max(...entries.map(({ atMs }) => atMs)),
    ids: entries.map(({ sender, clientMessageId }) => idText(sender, clientMessageId)),
    senders: [...new Set(entries.filter(({ kind }) => kind === "message").map(({ sender }) => sender))],
    facts: JSON.stringify(facts),
    bodies,
    ...(deleted.length > 0 ? { deleted } : {}),
    ...(edits.length > 0 ? { edits } : {}),
    ...(elsewhere.length > 0 ? { redact: elsewhere } : {}),
  };
}

/** What is left of a segment when the entries below `from` are forgotten. */
export function cut(segment: Segment, from: number): Segment {
  const gone = from - segment.from;
  const kept = entriesOf(segment).slice(gone);
  const { deleted, edits, ...rest } = segment;
  const stillDeleted = deleted?.filter((seq) => seq >= from) ?? [];
  const stillEdits = kept.flatMap(({ kind, target }) => (kind === "edited" && target !== null ? [target] : []));
  return {
    ...rest,
    rev: segment.rev + 1,
    from,
    maxAtMs: Math.max(...kept.map(({ atMs }) => atMs)),
    ids: segment.ids.slice(gone),
    senders: [...new Set(kept.filter(({ kind }) => kind === "message").map(({ sender }) => sender))],
    facts: JSON.stringify((JSON.parse(segment.facts) as Fact[]).slice(gone)),
    bodies: segment.bodies.slice(gone),
    ...(stillDeleted.length > 0 ? { deleted: stillDeleted } : {}),
    ...(stillEdits.length > 0 ? { edits: stillEdits } : {}),
  };
}

/** An entry without its body. */
export type EntryFacts = Omit<StoredEntry, "body" | "deleted">;

export function factsOf(segment: Pick<Segment, "from" | "ids" | "facts">): EntryFacts[] {
  return (JSON.parse(segment.facts) as Fact[]).map(([kind, count, digest, atMs, target], i) => {
    const id = segment.ids[i]!;
    // A clientMessageId has no line break, a sender may.
    const at = id.lastIndexOf("\n");
    return {
      seq: segment.from + i,
      count,
      kind: kindOf.get(kind)!,
      sender: id.slice(0, at),
      clientMessageId: id.slice(at + 1),
      digest,
      atMs,
      target,
    };
  });
}

export function entriesOf(segment: Segment): StoredEntry[] {
  const deleted = new Set(segment.deleted);
  return factsOf(segment).map((facts, i) => ({
    ...facts,
    deleted: deleted.has(facts.seq),
    body: segment.bodies[i]!,
  }));
}
