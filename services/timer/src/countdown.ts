/**
 * What a timer is, and what becomes of it: pure functions of the timer and the time. A running timer is nothing but its end;
 * what remains is computed from that. Each change makes the next version.
 */
import {
  defaultTimerMs,
  Refusal,
  type TimerChanges,
  type TimerControl,
  type TimerCycle,
  type TimerPhase,
  type TimerView,
} from "@parley/protocol";

/** An end that came by itself. */
export interface Ending {
  /** The timer's version with which it finished. */
  version: number;
  phase: TimerPhase;
  round: number;
  /** When it was due (milliseconds since 1970), which may be before anybody could note it. */
  dueAtMs: number;
}

export interface Countdown {
  state: "stopped" | "running" | "finished";
  /** Length of the present phase. */
  durationMs: number;
  /** What remains while it does not run; of a running one, what remained when it was started. */
  remainingMs: number;
  /** While it runs, else null. */
  endsAtMs: number | null;
  /** When it was last noted that it ended by itself. */
  endedAtMs: number | null;
  /** 0: nobody has touched it yet. */
  version: number;
  phase: TimerPhase;
  /** Which round of focus this is, or follows: 1 … rounds. */
  round: number;
  focusMs: number;
  cycle: TimerCycle | null;
  control: TimerControl;
  /** The last end; repeated when it may not have been told. */
  ending: Ending | null;
}

/** A phase that begins by itself does so at the end of the one before, if that was not longer ago than this; else now. */
const seamlessMs = 10_000;

export const newCountdown = (): Countdown => ({
  state: "stopped",
  durationMs: defaultTimerMs,
  remainingMs: defaultTimerMs,
  endsAtMs: null,
  endedAtMs: null,
  version: 0,
  phase: "focus",
  round: 1,
  focusMs: defaultTimerMs,
  cycle: null,
  control: "anyone",
  ending: null,
});

export const remainingAt = (timer: Countdown, nowMs: number): number =>
  timer.endsAtMs === null ? timer.remainingMs : Math.max(0, timer.endsAtMs - nowMs);

/** Seconds shown: the second begun counts, so that 0 is shown only when nothing remains. */
export const secondsShown = (remainingMs: number): number => Math.ceil(remainingMs / 1_000);

export function viewOf(timer: Countdown, remainingMs: number): TimerView {
  const { state, durationMs, version, phase, round, focusMs, cycle, control, endsAtMs } = timer;
  const endsAt = endsAtMs === null ? null : new Date(endsAtMs).toISOString();
  return { state, remainingMs, endsAt, durationMs, version, phase, round, focusMs, cycle, control };
}

const changed = <T extends Countdown>(timer: T, changes: Partial<Countdown>): T => ({
  ...timer,
  ...changes,
  version: timer.version + 1,
});

function lengthOf(phase: TimerPhase, timer: Countdown): number {
  if (phase === "focus" || !timer.cycle) return timer.focusMs;
  return phase === "shortBreak" ? timer.cycle.shortBreakMs : timer.cycle.longBreakMs;
}

/** The phase after this one: without a cycle the same again. */
export function phaseAfter({ phase, round, cycle }: Countdown): { phase: TimerPhase; round: number } {
  if (!cycle) return { phase: "focus", round: 1 };
  if (phase === "focus") return { phase: round >= cycle.rounds ? "longBreak" : "shortBreak", round };
  return { phase: "focus", round: phase === "longBreak" || round >= cycle.rounds ? 1 : round + 1 };
}

function run<T extends Countdown>(timer: T, fromMs: number): T {
  return changed(timer, { state: "running", endsAtMs: fromMs + timer.remainingMs });
}

/** Stands at the beginning of a phase. */
function at<T extends Countdown>(timer: T, phase: TimerPhase, round: number): T {
  const durationMs = lengthOf(phase, timer);
  return { ...timer, state: "stopped", phase, round, durationMs, remainingMs: durationMs, endsAtMs: null };
}

/** Goes on with what remains; from the end, with the next phase. A duration begins the phase anew with that length. */
export function start<T extends Countdown>(timer: T, nowMs: number, durationMs: number | null): T {
  if (timer.state === "running") throw new Refusal("timer_already_started");
  const next = phaseAfter(timer);
  const ready = timer.state === "finished" ? at(timer, next.phase, next.round) : timer;
  if (durationMs === null) return run(ready, nowMs);
  const focusMs = ready.phase === "focus" ? durationMs : ready.focusMs;
  return run({ ...ready, focusMs, durationMs, remainingMs: durationMs }, nowMs);
}

/** Stands still and keeps what remains. */
export function stop<T extends Countdown>(timer: T, nowMs: number): T {
  if (timer.state !== "running") throw new Refusal("timer_already_stopped");
  return changed(timer, { state: "stopped", remainingMs: remainingAt(timer, nowMs), endsAtMs: null });
}

/** Stands at the beginning of the first phase. */
export function reset<T extends Countdown>(timer: T, durationMs: number | null): T {
  return changed(at({ ...timer, focusMs: durationMs ?? timer.focusMs }, "focus", 1), {});
}

/** A running timer goes on to its end; one that stands in the phase whose length changes stands at its beginning. */
export function set<T extends Countdown>(timer: T, changes: TimerChanges): T {
  const cycle = changes.cycle === null ? timer.cycle : changes.cycle === "off" ? null : changes.cycle;
  const focusMs = changes.durationMs ?? timer.focusMs;
  const control = changes.control ?? timer.control;
  const given = { ...timer, cycle, focusMs, control };
  const { phase, round } = placeIn(cycle, timer);
  const anew = phase !== timer.phase || lengthOf(phase, given) !== lengthOf(timer.phase, timer);
  const stands = timer.state !== "running";
  if (stands && (changes.durationMs !== null || anew)) return changed(at(given, phase, round), {});
  return changed(given, { phase, round });
}

/** Where a timer is once its cycle is another. */
function placeIn(cycle: TimerCycle | null, { phase, round }: Countdown): { phase: TimerPhase; round: number } {
  return cycle ? { phase, round: Math.min(round, cycle.rounds) } : { phase: "focus", round: 1 };
}

/** Ended by itself. */
export function finish<T extends Countdown>(timer: T, nowMs: number): T {
  const { phase, round } = timer;
  const ending = { version: timer.version + 1, phase, round, dueAtMs: timer.endsAtMs ?? nowMs };
  return changed(timer, { state: "finished", remainingMs: 0, endsAtMs: null, endedAtMs: nowMs, ending });
}

/** The timer as it was when it last ended by itself, or null where it never did. */
export function lastEnd<T extends Countdown>(timer: T): T | null {
  if (!timer.ending) return null;
  const { phase, round, version } = timer.ending;
  const durationMs = version === timer.version ? timer.durationMs : lengthOf(phase, timer);
  return { ...timer, state: "finished", phase, round, version, durationMs, remainingMs: 0, endsAtMs: null };
}

/** What begins by itself after an end, or null. */
export function follow<T extends Countdown>(timer: T, nowMs: number): T | null {
  if (timer.state !== "finished" || !timer.cycle?.auto || !timer.ending) return null;
  const { dueAtMs } = timer.ending;
  const { phase, round } = phaseAfter(timer);
  const seamless = nowMs - dueAtMs <= seamlessMs;
  return run(at(timer, phase, round), seamless ? dueAtMs : nowMs);
}

/** The clock was set: the same remains, so the end is another. */
export const endAt = <T extends Countdown>(timer: T, endsAtMs: number): T => changed(timer, { endsAtMs });
