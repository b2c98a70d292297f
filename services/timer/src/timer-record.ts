/** A room's timer as this service holds it, and as the store does. */
import type { Actor } from "@parley/bus";
import { partitionOf } from "@parley/bus";
import { type ErrorCode, Refusal } from "@parley/protocol";
import type { RoomRecord, TimerRecord } from "@parley/store";
import { type Countdown, newCountdown } from "./countdown.ts";

export interface Timer extends Countdown {
  readonly room: string;
  readonly key: number;
  /** Users who want a notification at each end. */
  notify: string[];
  /** The last events that changed it, oldest first. */
  asks: string[];
  /** The last events that were asked more than once, and refused. */
  refusals: NotedRefusal[];
}

export interface NotedRefusal {
  ask: string;
  code: ErrorCode;
  error: string;
}

type Settings = Pick<
  Timer,
  "phase" | "round" | "focusMs" | "cycle" | "control" | "ending" | "notify" | "asks" | "refusals"
>;

const maxNotified = 500;

export const newTimer = (room: Pick<RoomRecord, "name" | "key">): Timer => ({
  ...newCountdown(),
  room: room.name,
  key: room.key,
  notify: [],
  asks: [],
  refusals: [],
});

export function recordOf(timer: Timer): TimerRecord {
  const { room, key, state, durationMs, remainingMs, endsAtMs, endedAtMs, version } = timer;
  const { phase, round, focusMs, cycle, control, ending, notify, asks, refusals } = timer;
  const settings: Settings = { phase, round, focusMs, cycle, control, ending, notify, asks, refusals };
  return {
    ...{ room, key, partition: partitionOf(room), state, durationMs, remainingMs, endsAtMs, endedAtMs, version },
    settings: JSON.stringify(settings),
  };
}

export function timerOf(record: TimerRecord): Timer {
  const { room, key, state, durationMs, remainingMs, endsAtMs, endedAtMs, version } = record;
  // Records of an earlier version lack these two.
  const settings: Settings = { asks: [], refusals: [], ...JSON.parse(record.settings) };
  return { room, key, state, durationMs, remainingMs, endsAtMs, endedAtMs, version, ...settings };
}

/** The same timer, which knows of these refusals: a version of its own, as it is stored like a change. */
export const noted = (timer: Timer, refusals: NotedRefusal[]): Timer => ({
  ...timer,
  refusals,
  version: timer.version + 1,
});

/** With the user among those to be notified, or not. */
export function withNotify(timer: Timer, user: Actor, wanted: boolean): Timer {
  const others = timer.notify.filter((id) => id !== user.id);
  if (wanted && others.length >= maxNotified)
    throw new Refusal("too_large", `A timer notifies ${maxNotified} members at most`);
  return { ...timer, notify: wanted ? [...others, user.id] : others };
}
