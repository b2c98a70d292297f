import assert from "node:assert/strict";
import test from "node:test";
import { formatDuration, maxTimerMs, Refusal, readDuration, type TimerCycle } from "@parley/protocol";
import fc from "fast-check";
import {
  type Countdown,
  finish,
  follow,
  newCountdown,
  phaseAfter,
  remainingAt,
  reset,
  secondsShown,
  set,
  start,
  stop,
} from "../src/countdown.ts";

const seconds = fc.integer({ min: 1, max: 359_999 });
const cycles = fc.record<TimerCycle>({
  shortBreakMs: seconds.map((s) => s * 1_000),
  longBreakMs: seconds.map((s) => s * 1_000),
  rounds: fc.integer({ min: 1, max: 6 }),
  auto: fc.constant(true),
});
const nothing = { durationMs: null, cycle: null, control: null, notify: null };
const refusedAs = (code: string) => (error: unknown) => error instanceof Refusal && error.code === code;

test("a duration is read as it is written, over 24 h and at 0 too", () => {
  fc.assert(
    fc.property(seconds, (s) => {
      const text = formatDuration(s * 1_000);
      assert.match(text, /^\d\d:[0-5]\d:[0-5]\d$/);
      assert.equal(readDuration(text, "duration"), s * 1_000);
      assert.equal(readDuration(s, "duration"), s * 1_000);
    }),
  );
  assert.equal(formatDuration(0), "00:00:00");
  assert.equal(formatDuration(-5), "00:00:00");
  assert.equal(formatDuration(1), "00:00:01");
  assert.equal(formatDuration(1_000), "00:00:01");
  assert.equal(formatDuration(1_001), "00:00:02");
  assert.equal(formatDuration(maxTimerMs), "99:59:59");
  assert.equal(formatDuration(30 * 3_600_000), "30:00:00");
});

test("what is no duration is refused, and told why", () => {
  for (const value of ["25:99", "00:60:00", "00:00:60", "1:00:00", "100:00:00", "25:00", "", " 00:25:00", "-1:00:00"])
    assert.throws(() => readDuration(value, "duration"), /duration must be "HH:mm:ss"/, String(value));
  for (const value of [1.5, Number.NaN, Infinity, null, {}, [], true, "90"])
    assert.throws(() => readDuration(value, "duration"), /whole seconds/, String(value));
  for (const value of [0, -1, 360_000, "00:00:00", 2 ** 53])
    assert.throws(() => readDuration(value, "duration"), /from 00:00:01 to 99:59:59/, String(value));
});

test("[T1] however often it is stopped and started, it runs for its length altogether", () => {
  const step = fc.record({ runMs: fc.integer({ min: 0, max: 100_000 }), restMs: fc.integer({ min: 0, max: 1e9 }) });
  fc.assert(
    fc.property(seconds, fc.array(step, { maxLength: 20 }), (s, steps) => {
      let nowMs = 1_760_000_000_000;
      let ranMs = 0;
      let timer = set(newCountdown(), { ...nothing, durationMs: s * 1_000 });
      for (const { runMs, restMs } of steps) {
        timer = start(timer, nowMs, null);
        if (runMs >= s * 1_000 - ranMs) break;
        assert.throws(() => start(timer, nowMs + runMs, null), refusedAs("timer_already_started"));
        nowMs += runMs;
        ranMs += runMs;
        timer = stop(timer, nowMs);
        assert.equal(timer.remainingMs, s * 1_000 - ranMs);
        assert.throws(() => stop(timer, nowMs), refusedAs("timer_already_stopped"));
        nowMs += restMs;
      }
      if (timer.state === "stopped") timer = start(timer, nowMs, null);
      assert.equal(timer.endsAtMs, nowMs + s * 1_000 - ranMs);
    }),
  );
});

test("[T1] seconds shown never grow while time goes on, and 0 is the end alone", () => {
  fc.assert(
    fc.property(seconds, fc.array(fc.integer({ min: 0, max: 5_000 })), (s, steps) => {
      const timer = start(newCountdown(), 1_000, s * 1_000);
      let nowMs = 1_000;
      let shown = s;
      for (const step of steps) {
        nowMs += step;
        const remaining = remainingAt(timer, nowMs);
        assert.ok(secondsShown(remaining) <= shown);
        shown = secondsShown(remaining);
        assert.equal(shown === 0, nowMs >= 1_000 + s * 1_000);
      }
    }),
  );
});

test("a cycle goes focus, short break, … and after its last round a long break, then from the first round", () => {
  fc.assert(
    fc.property(cycles, fc.integer({ min: 1, max: 30 }), (cycle, phases) => {
      let timer = set(newCountdown(), { ...nothing, cycle, durationMs: 60_000 });
      timer = start(timer, 0, null);
      for (let i = 0; i < phases; i++) {
        const place = i % (cycle.rounds * 2);
        const expected = place % 2 === 0 ? "focus" : place === cycle.rounds * 2 - 1 ? "longBreak" : "shortBreak";
        assert.equal(timer.phase, expected);
        assert.equal(timer.round, Math.floor(place / 2) + 1);
        const { shortBreakMs, longBreakMs } = cycle;
        assert.equal(timer.durationMs, { focus: 60_000, shortBreak: shortBreakMs, longBreak: longBreakMs }[expected]);
        const endsAtMs = timer.endsAtMs as number;
        const finished = finish(timer, endsAtMs + 700);
        assert.deepEqual(finished.ending, {
          version: timer.version + 1,
          phase: expected,
          round: timer.round,
          dueAtMs: endsAtMs,
        });
        timer = follow(finished, endsAtMs + 800) as Countdown;
        // No drift: a phase begins where the one before was due to end.
        assert.equal((timer.endsAtMs as number) - timer.durationMs, endsAtMs);
      }
    }),
  );
});

test("a cycle by hand waits, and the next start is the next phase; after a long outage a phase begins now", () => {
  const cycle: TimerCycle = { shortBreakMs: 5_000, longBreakMs: 9_000, rounds: 2, auto: false };
  const running = start(set(newCountdown(), { ...nothing, cycle }), 0, null);
  const finished = finish(running, 1_500_000);
  assert.equal(follow(finished, 1_500_000), null);
  const rest = start(finished, 2_000_000, null);
  assert.deepEqual([rest.phase, rest.remainingMs, rest.endsAtMs], ["shortBreak", 5_000, 2_005_000]);
  const late = follow({ ...finished, cycle: { ...cycle, auto: true } }, 9_000_000);
  assert.equal(late?.endsAtMs, 9_005_000);
});

test("without a cycle, starting a finished timer runs the same length again", () => {
  const finished = finish(start(newCountdown(), 0, 90_000), 90_000);
  assert.deepEqual([finished.state, finished.remainingMs, finished.endsAtMs], ["finished", 0, null]);
  const again = start(finished, 100_000, null);
  assert.deepEqual([again.phase, again.durationMs, again.endsAtMs], ["focus", 90_000, 190_000]);
  assert.throws(() => stop(finished, 95_000), refusedAs("timer_already_stopped"));
});

test("reset goes back to the first phase; a duration given is kept", () => {
  const cycle: TimerCycle = { shortBreakMs: 5_000, longBreakMs: 9_000, rounds: 2, auto: true };
  const running = start(set(newCountdown(), { ...nothing, cycle, durationMs: 10_000 }), 0, null);
  const inBreak = follow(finish(running, 10_000), 10_000) as Countdown;
  const back = reset(inBreak, null);
  assert.deepEqual([back.state, back.phase, back.round, back.remainingMs], ["stopped", "focus", 1, 10_000]);
  assert.equal(reset(back, 77_000).remainingMs, 77_000);
  assert.equal(reset(reset(back, 77_000), null).remainingMs, 77_000);
});

test("settings: a running timer goes on to its end, a standing one shows a new length at once", () => {
  const running = start(newCountdown(), 0, 60_000);
  const later = set(running, { ...nothing, durationMs: 90_000, control: "moderators" });
  assert.deepEqual([later.endsAtMs, later.durationMs, later.control], [60_000, 60_000, "moderators"]);
  assert.equal(reset(later, null).remainingMs, 90_000);
  const paused = stop(running, 20_000);
  assert.equal(set(paused, { ...nothing, control: "members" }).remainingMs, 40_000);
  assert.equal(set(paused, { ...nothing, cycle: { ...phases, auto: false } }).remainingMs, 40_000);
  assert.equal(set(paused, { ...nothing, durationMs: 5_000 }).remainingMs, 5_000);
});

const phases: TimerCycle = { shortBreakMs: 5_000, longBreakMs: 9_000, rounds: 3, auto: true };

test("whatever is asked of it, a timer stays one: versions count, an end means running", () => {
  const step = fc.oneof(
    fc.constant<(timer: Countdown, nowMs: number) => Countdown>((timer, nowMs) => start(timer, nowMs, null)),
    seconds.map((s) => (timer: Countdown, nowMs: number) => start(timer, nowMs, s * 1_000)),
    fc.constant((timer: Countdown, nowMs: number) => stop(timer, nowMs)),
    fc.constant((timer: Countdown) => reset(timer, null)),
    seconds.map((s) => (timer: Countdown) => set(timer, { ...nothing, durationMs: s * 1_000 })),
    cycles.map((cycle) => (timer: Countdown) => set(timer, { ...nothing, cycle })),
    fc.constant((timer: Countdown) => set(timer, { ...nothing, cycle: "off" })),
    fc.constant((timer: Countdown, nowMs: number) =>
      timer.state === "running" ? finish(timer, Math.max(nowMs, timer.endsAtMs as number)) : timer,
    ),
    fc.constant((timer: Countdown, nowMs: number) => follow(timer, nowMs) ?? timer),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.integer({ min: 0, max: 10_000_000 })), { maxLength: 40 }), (steps) => {
      let timer = newCountdown();
      let nowMs = 1_760_000_000_000;
      for (const [apply, passes] of steps) {
        nowMs += passes;
        const before = timer;
        try {
          timer = apply(timer, nowMs);
        } catch (error) {
          assert.ok(error instanceof Refusal);
        }
        assert.equal(timer.version, timer === before ? before.version : before.version + 1);
        assert.equal(timer.endsAtMs !== null, timer.state === "running");
        assert.ok(timer.round >= 1 && timer.round <= (timer.cycle?.rounds ?? 1));
        if (!timer.cycle) assert.equal(timer.phase, "focus");
        assert.ok(timer.state !== "finished" || timer.remainingMs === 0);
        assert.ok(["focus", "shortBreak", "longBreak"].includes(phaseAfter(timer).phase));
      }
    }),
  );
});
