/** What gateways ask timer workers, what these tell, and how timers' records are ordered. */
import type { TimerChanges, TimerPhase } from "@parley/protocol";
import type { Actor } from "./chat-wire.ts";
import type { Repeatable } from "./json-wire.ts";

export type TimerRequest =
  /** What a session that begins to listen is shown. Answer json TimerNow, or null for a room without a timer. */
  | { kind: "peek"; room: string }
  /** The others answer json TimerData. */
  | { kind: "get"; room: string; user: Actor }
  | TimerCommand;

/** What changes a timer. `ask`: unique for the client's event, so that an event carried out twice counts once. */
export type TimerCommand = { room: string; user: Actor; ask: string } & Repeatable &
  ({ kind: "stop" } | { kind: "start" | "reset"; durationMs: number | null } | ({ kind: "set" } & TimerChanges));

export interface TimerNow {
  /** The room's tag and the frame's place among the timer's records, as in a record. */
  tag: number;
  order: number;
  frame: string;
}

const secondsPerVersion = 2 ** 19;

/**
 * The place of a frame among all frames of a room's timer: a change comes after what was before it, and of one version the
 * frame with fewer seconds. Whoever lets frames through only in this order never shows a tick earlier than the one before,
 * whoever sent it. `ended`: the `timer.finished` behind the last frame.
 */
export const timerOrder = (version: number, seconds: number, ended = false): number =>
  version * secondsPerVersion + (ended ? secondsPerVersion - 1 : secondsPerVersion - 2 - seconds);

/**
 * What a timer worker publishes on `subjects.timerFinished()` when a timer ended and somebody asked to be notified. It is a
 * NATS request: whoever takes it (queue group `notify`) answers anything once the notifications are recorded. Until then it
 * is sent again, and another worker may send it again too: (key, version) is the same each time.
 */
export interface TimerFinished {
  room: string;
  key: number;
  version: number;
  /** Members of the room who asked, by id. */
  users: string[];
  phase: TimerPhase;
  round: number;
  /** When it ended, milliseconds since 1970. */
  atMs: number;
}
