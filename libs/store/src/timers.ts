/** The rooms' timers: one a room. Ticks are computed from `endsAtMs` and stored nowhere. */

/** `stopped`: stands at `remainingMs`. `running`: until `endsAtMs`. `finished`: ended by itself at `endedAtMs`. */
export type TimerState = "stopped" | "running" | "finished";

export interface TimerRecord {
  /** Name of the room. */
  room: string;
  /** The room's key: a timer under another key is one of an earlier room of this name, and as good as none. */
  key: number;
  /** The partition whose worker looks after it (0 to 255). */
  partition: number;
  state: TimerState;
  /** Length of the present run. */
  durationMs: number;
  /** What remains: 0 when finished; of a running timer, what remained when it was started. */
  remainingMs: number;
  /** When it ends, while it runs, else null (milliseconds since 1970). */
  endsAtMs: number | null;
  /** When it last ended by itself; null if it never did. Kept when it is started again. */
  endedAtMs: number | null;
  /** JSON text of all else about it; the service's own. */
  settings: string;
  /** At least 1; grows by one with each change, several of which may be stored as one. */
  version: number;
}

export interface TimerStore {
  find(rooms: string[]): Promise<(TimerRecord | null)[]>;
  /**
   * Stores `record` where the room's timer is at version `before` (0: where there is none of this key), and answers true.
   * False: somebody was quicker, or there is no room of this name and key any more. `before` is the version before the
   * record's unless several changes are stored as one.
   */
  put(record: TimerRecord, before?: number): Promise<boolean>;
  /** Timers by room name, ascending, names > after. */
  list(options: { after: string | null; limit: number }): Promise<TimerRecord[]>;
  /** Timers of these partitions that run, or that ended at `endedSinceMs` or later, in any order. */
  active(partitions: number[], endedSinceMs: number): Promise<TimerRecord[]>;
}
