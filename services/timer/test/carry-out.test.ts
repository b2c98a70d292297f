import assert from "node:assert/strict";
import test from "node:test";
import { Refusal } from "@parley/protocol";
import fc from "fast-check";
import { type Change, carryOut, maxKept } from "../src/carry-out.ts";
import { reset, start, stop } from "../src/countdown.ts";
import { newTimer, recordOf, type Timer, timerOf } from "../src/timer-record.ts";

const nowMs = 1_760_000_000_000;
const room = { name: "focus", key: 7 };
const kinds = {
  start: (timer: Timer, atMs: number) => start(timer, atMs, null),
  stop,
  reset: (timer: Timer) => reset(timer, null),
} as const;
type Kind = keyof typeof kinds;
const kind = fc.constantFrom<Kind>("start", "stop", "reset");

const change = (ask: string | null, of: Kind, repeated = false): Change => ({ ask, repeated, apply: kinds[of] });
/** As the next worker would read it. */
const stored = (timer: Timer): Timer => timerOf(recordOf(timer));
const toldOf = (outcome: Timer | Error | undefined) => (outcome instanceof Error ? outcome.message : outcome?.state);

test("[T2] what is asked together becomes what it would become one by one", () => {
  fc.assert(
    fc.property(fc.array(fc.array(kind, { maxLength: 6 }), { maxLength: 8 }), (groups) => {
      let together = newTimer(room);
      let single = newTimer(room);
      let next = 1;
      for (const group of groups) {
        const changes = group.map((of) => change(`ask ${next++}`, of));
        const { timer, steps, outcomes } = carryOut(together, changes, nowMs);
        const oneByOne = changes.map((each) => {
          const done = carryOut(single, [each], nowMs);
          single = stored(done.timer);
          return done;
        });
        together = stored(timer);
        assert.deepEqual(together, single);
        assert.deepEqual(
          outcomes,
          oneByOne.flatMap((done) => done.outcomes),
        );
        assert.deepEqual(
          steps.map(({ version }) => version),
          oneByOne.flatMap((done) => done.steps.map(({ version }) => version)),
        );
      }
    }),
  );
});

test("[T2] however late earlier copies of an event come, it is carried out once, or refused and never carried out", () => {
  const event = fc.record({ of: kind, repeated: fc.boolean(), lateBy: fc.array(fc.nat(30), { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      let timer = newTimer(room);
      const told = new Map<string, string | undefined>();
      const late: { at: number; ask: string; of: Kind }[] = [];
      events.forEach(({ of, repeated, lateBy }, i) => {
        const ask = `session:${i}`;
        const done = carryOut(timer, [change(ask, of, repeated)], nowMs);
        timer = stored(done.timer);
        told.set(ask, toldOf(done.outcomes[0]));
        // An earlier copy can only be under way where this one was a later one.
        if (repeated) for (const by of lateBy) late.push({ at: i + by, ask, of });
        for (const copy of late.filter(({ at }) => at === i)) {
          const again = carryOut(timer, [change(copy.ask, copy.of)], nowMs);
          assert.equal(again.timer, timer, `${copy.ask} changed the timer when it came late`);
          assert.deepEqual(again.steps, []);
          if (again.outcomes[0] instanceof Error) assert.equal(toldOf(again.outcomes[0]), told.get(copy.ask));
        }
      });
    }),
  );
});

test("a refusal is stored only where another copy may come, and shown to nobody; what an application asks is never kept", () => {
  const { timer: running } = carryOut(newTimer(room), [change("a", "start")], nowMs);
  const once = carryOut(running, [change("b", "start")], nowMs);
  assert.equal(once.timer, running);
  assert.ok(once.outcomes[0] instanceof Refusal);
  const twice = carryOut(running, [change("b", "start", true)], nowMs);
  assert.deepEqual(twice.steps, []);
  assert.equal(twice.timer.version, running.version + 1);
  assert.deepEqual({ ...twice.timer, refusals: [], version: running.version }, running);
  const { timer } = carryOut(running, [change(null, "stop"), change(null, "stop"), change(null, "start")], nowMs);
  assert.deepEqual([timer.version, timer.asks, timer.refusals], [running.version + 2, running.asks, []]);
});

test("a fault in one of them is told to whoever asked for it, and the others are carried out", () => {
  const broken: Change = {
    ...change("b", "start"),
    apply: () => {
      throw new TypeError("a fault");
    },
  };
  const { timer, outcomes } = carryOut(newTimer(room), [change("a", "start"), broken, change("c", "stop")], nowMs);
  assert.equal(timer.state, "stopped");
  assert.deepEqual(outcomes.map(toldOf), ["running", "a fault", "stopped"]);
});

test("a timer keeps so much and no more, and what an earlier version stored is read", () => {
  let timer = newTimer(room);
  for (let i = 0; i < maxKept; i++)
    timer = carryOut(timer, [change(`a ${i}`, "reset"), change(`b ${i}`, "stop", true)], nowMs).timer;
  assert.equal(carryOut(timer, [change("a 0", "reset")], nowMs).timer, timer);
  timer = carryOut(timer, [change("one more", "reset"), change("and one", "stop", true)], nowMs).timer;
  assert.deepEqual([timer.asks.length, timer.refusals.length], [maxKept, maxKept]);
  assert.ok(recordOf(timer).settings.length < 20_000);
  assert.equal(carryOut(timer, [change("a 1", "reset")], nowMs).timer, timer);

  const { settings, ...record } = recordOf(newTimer(room));
  const { asks, refusals, ...before } = JSON.parse(settings);
  assert.deepEqual([asks, refusals], [[], []]);
  assert.deepEqual(timerOf({ ...record, settings: JSON.stringify(before) }), newTimer(room));
});
