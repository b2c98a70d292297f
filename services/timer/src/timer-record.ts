/** A room's timer as this service holds it, and as the store does. */
import type { Actor } from "@parley/bus";
import { partitionOf } from "@parley/bus";
import { Refusal } from "@parley/protocol";
import type { RoomRecord, TimerRecord } from "@parley/store";
import { type Countdown, newCountdown } from "./countdown.ts";

export interface Timer extends Countdown {
  readonly room: string;
  readonly key: number;
  /** Users who want a notification at each end. */
  notify: string[];
  /** The last event that changed it: carried out again, it changes nothing. */
  lastAsk: string | null;
}

type Settings = Pick<Timer, "phase" | "round" | "focusMs" | "cycle" | "control" | "ending" | "notify" | "lastAsk">;

const maxNotified = 500;

export const newTimer = (room: Pick<RoomRecord, "name" | "key">): Timer => ({
  ...newCountdown(),
  room: room.name,
  key: room.key,
  notify: [],
  lastAsk: null,
});

export function recordOf(timer: Timer): TimerRecord {
  const { room, key, state, durationMs, remainingMs, endsAtMs, endedAtMs, version } = timer;
  const { phase, round, focusMs, cycle, control, ending, notify, lastAsk } = timer;
  const settings: Settings = { phase, round, focusMs, cycle, control, ending, notify, lastAsk };
  return {
    ...{ room, key, partition: partitionOf(room), state, durationMs, remainingMs, endsAtMs, endedAtMs, version },
    settings: JSON.stringify(settings),
  };
}

export function timerOf(record: TimerRecord): Timer {
  const { room, key, state, durationMs, remainingMs, endsAtMs, endedAtMs, version } = record;
  const settings = JSON.parse(record.settings) as Settings;
  return { room, key, state, durationMs, remainingMs, endsAtMs, endedAtMs, version, ...settings };
}

/** With the user among those to be notified, or not. */
export function withNotify(timer: Timer, user: Actor, wanted: boolean): Timer {
  const others = timer.notify.filter((id) => id !== user.id);
  if (wanted && others.length >= maxNotified)
    throw new Refusal("too_large", `A timer notifies ${maxNotified} members at most`);
  return { ...timer, notify: wanted ? [...others, user.id] : others };
}
