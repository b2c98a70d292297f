/**
 * The log of each room: the one place in which a message is true.
 *
 * A room is known here by its `key` (an integer, new for every incarnation of a room name, see RoomRecord).
 * Entries are numbered 1, 2, 3 … with no hole and no repeat, whoever writes them.
 */

/** What an entry is; the numbers are stored, so they never change. */
export const entryKinds = { message: 1, edited: 2, deleted: 3, reacted: 4, system: 5 } as const;
export type EntryKind = keyof typeof entryKinds;

/** One entry on its way into the log. */
export interface NewEntry {
  /** Its number: the room's head + 1, + 2, … within one append. */
  seq: number;
  /** How many entries of kind `message` the log has had up to and with this one. */
  count: number;
  kind: EntryKind;
  /** Id of the user who wrote it. */
  sender: string;
  /** Unique for (room, sender): the second key of the log. */
  clientMessageId: string;
  /** A fingerprint (a safe integer) of what the sender asked for, to tell a repeat from a conflict. */
  digest: number;
  /** Milliseconds since 1970, UTC. */
  atMs: number;
  /** The seq of the message that this entry edits, deletes or reacts to; null for others. */
  target: number | null;
  /** The entry as clients get it: the JSON text of the object, encoded once and stored as it is. */
  body: string;
}

/** Entries to be added to one room in one piece: all or none. Their bodies have 5 million characters at most. */
export interface RoomAppend {
  key: number;
  entries: NewEntry[];
  /**
   * Bodies to be replaced in the same step (a deletion blanks what it deletes): seq → new body, marked deleted.
   * Those of entries that are forgotten already are passed over.
   */
  redactions?: { seq: number; body: string }[];
}

/**
 * - `appended`: every entry is on durable storage.
 * - `conflict`: none is. Somebody else wrote (a seq is taken, or the entries do not follow the head), or one of the
 *   clientMessageIds is there already. Read the head, look the ids up, and try again.
 */
export type AppendOutcome = "appended" | "conflict";

export interface LogHead {
  /** Number of the newest entry; 0 for an empty log. */
  seq: number;
  /** Messages up to it. */
  count: number;
  /** Number of the oldest entry still kept; 1 for a log that lost nothing, also when empty. */
  start: number;
}

export interface StoredEntry {
  seq: number;
  count: number;
  kind: EntryKind;
  sender: string;
  clientMessageId: string;
  digest: number;
  atMs: number;
  target: number | null;
  /** True once a `deleted` entry blanked it. */
  deleted: boolean;
  body: string;
}

export interface RoomLog {
  /**
   * Adds to any number of rooms in as few durable writes as the store can; each room's append stands or falls alone.
   * Outcomes come in the order of `appends`. What arrives while a write is under way shares the next one (group commit).
   * Rejects with StoreUnavailable when the store can't be reached or is full: then each append is either there or not.
   * A room deleted meanwhile is a `conflict`.
   */
  append(appends: RoomAppend[]): Promise<AppendOutcome[]>;
  /** Heads in the order asked for; {seq:0,count:0,start:1} for a key without entries. */
  heads(keys: number[]): Promise<LogHead[]>;
  /** Up to `limit` bodies, ascending by seq, with seq > after. */
  readAfter(key: number, after: number, limit: number): Promise<{ seq: number; body: string }[]>;
  /** The newest `limit` bodies with seq < before (no bound: the newest of all), ascending by seq. */
  readBefore(key: number, before: number | null, limit: number): Promise<{ seq: number; body: string }[]>;
  /** One entry whole, or null. */
  get(key: number, seq: number): Promise<StoredEntry | null>;
  /** Earlier entries with these ids, in the order asked for; null where there is none. */
  find(
    key: number,
    ids: { sender: string; clientMessageId: string }[],
  ): Promise<({ seq: number; digest: number; atMs: number } | null)[]>;
  /** Entries of kind `edited` whose target is `target`, ascending: what a deletion must blank as well. */
  editsOf(key: number, target: number): Promise<StoredEntry[]>;
  /**
   * Forgets old entries: those below `keepFromSeq`, at most `limit` in one call; the head entry always stays.
   * Answers how many were removed.
   */
  trim(key: number, keepFromSeq: number, limit: number): Promise<number>;
  /** The lowest seq whose atMs >= atMs, or head + 1 when none is: for retention by age. */
  firstSince(key: number, atMs: number): Promise<number>;
}
