/** What clients ask of a room's timer, and what they are shown of it. */
import { readDuration } from "./duration.ts";
import { Refusal } from "./errors.ts";
import { type Fields, isObject, optional } from "./fields.ts";
import { checkBoolean, checkRoomName, checkSeq } from "./names.ts";

/** Phases that follow each other: focus, a short break, focus … and after `rounds` of focus a long break. */
export interface TimerCycle {
  shortBreakMs: number;
  longBreakMs: number;
  rounds: number;
  /** The next phase begins by itself; else somebody starts it. */
  auto: boolean;
}

export type TimerPhase = "focus" | "shortBreak" | "longBreak";

/** Who may start, stop, reset and set a timer: whoever is in the room; those of them who are no guests; its moderators. */
export type TimerControl = "anyone" | "members" | "moderators";

/** Milliseconds throughout; null: left as it is. */
export type TimerEvent =
  | { event: "StartTimer" | "ResetTimer"; room: string; durationMs: number | null }
  | { event: "StopTimer" | "GetTimer"; room: string }
  | ({ event: "SetTimer"; room: string } & TimerChanges);

export interface TimerChanges {
  durationMs: number | null;
  /** `off`: one phase, again and again. */
  cycle: TimerCycle | "off" | null;
  control: TimerControl | null;
  /** Whether the asker wants a notification at each end. */
  notify: boolean | null;
}

/** A timer as clients see it. */
export interface TimerView {
  state: "stopped" | "running" | "finished";
  /** At the time of the frame; 0 when finished. */
  remainingMs: number;
  /** ISO 8601, UTC; null unless running. */
  endsAt: string | null;
  /** Length of the present phase. */
  durationMs: number;
  /** Grows with each change. */
  version: number;
  phase: TimerPhase;
  /** Which round of focus this is, or follows: 1 … rounds. */
  round: number;
  /** Length of a focus phase: what `ResetTimer` goes back to. */
  focusMs: number;
  cycle: TimerCycle | null;
  control: TimerControl;
}

/** The server event `timer`, in the shape that timer apps know. */
export interface TimerFrame {
  eventType: "ServerEvent";
  event: "timer";
  room: string;
  success: true;
  /** What remains, as `HH:mm:ss`. */
  data: string;
  error: null;
  timer: TimerView;
}

/** Reply to the timer's client events. */
export interface TimerData {
  timer: TimerView;
  /** Whether the asker gets a notification at each end. */
  notify: boolean;
}

export const defaultTimerMs = 25 * 60_000;
const defaultCycle: TimerCycle = { shortBreakMs: 5 * 60_000, longBreakMs: 15 * 60_000, rounds: 4, auto: true };
const maxTimerRounds = 100;
const timerControls: readonly TimerControl[] = ["anyone", "members", "moderators"];

function readTimerCycle(value: unknown): TimerCycle | "off" {
  if (value === false) return "off";
  if (value === true) return defaultCycle;
  if (!isObject(value))
    throw new Refusal("bad_request", "cycle must be true, false, or {shortBreak?, longBreak?, rounds?, auto?}");
  const { shortBreak, longBreak, rounds, auto } = value;
  const cycle: TimerCycle = {
    shortBreakMs: optional(shortBreak, (v) => readDuration(v, "cycle.shortBreak")) ?? defaultCycle.shortBreakMs,
    longBreakMs: optional(longBreak, (v) => readDuration(v, "cycle.longBreak")) ?? defaultCycle.longBreakMs,
    rounds: optional(rounds, (v) => checkSeq(v, "cycle.rounds", 1)) ?? defaultCycle.rounds,
    auto: optional(auto, (v) => checkBoolean(v, "cycle.auto")) ?? defaultCycle.auto,
  };
  if (cycle.rounds > maxTimerRounds)
    throw new Refusal("bad_request", `cycle.rounds must be from 1 to ${maxTimerRounds}`);
  return cycle;
}

function readControl(value: unknown): TimerControl {
  const control = timerControls.find((name) => name === value);
  if (!control) throw new Refusal("bad_request", `control must be one of ${timerControls.join(", ")}`);
  return control;
}

export function readTimerChanges(fields: Fields): TimerChanges {
  const changes: TimerChanges = {
    durationMs: optional(fields.duration, (value) => readDuration(value, "duration")),
    cycle: optional(fields.cycle, readTimerCycle),
    control: optional(fields.control, readControl),
    notify: optional(fields.notify, (value) => checkBoolean(value, "notify")),
  };
  if (Object.values(changes).every((change) => change === null))
    throw new Refusal("bad_request", "give at least one of duration, cycle, control, notify");
  return changes;
}

const readStart =
  (event: "StartTimer" | "ResetTimer") =>
  (fields: Fields): TimerEvent => ({
    event,
    room: checkRoomName(fields.room),
    durationMs: optional(fields.duration, (value) => readDuration(value, "duration")),
  });

const readRoom =
  (event: "StopTimer" | "GetTimer") =>
  (fields: Fields): TimerEvent => ({ event, room: checkRoomName(fields.room) });

export const timerDecoders: { [name in TimerEvent["event"]]: (fields: Fields) => TimerEvent } = {
  StartTimer: readStart("StartTimer"),
  StopTimer: readRoom("StopTimer"),
  ResetTimer: readStart("ResetTimer"),
  SetTimer: (fields) => ({ event: "SetTimer", room: checkRoomName(fields.room), ...readTimerChanges(fields) }),
  GetTimer: readRoom("GetTimer"),
};
