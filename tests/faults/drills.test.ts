// The drills of `npm run load`, small: what must hold holds at any size; the times are measured at full size.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runKillDrill } from "../load/src/drills/kill-drill.ts";
import { runRestartDrill } from "../load/src/drills/restart-drill.ts";
import { testStore } from "../support/start-stack.ts";

const timeout = 180_000;
const quiet = () => {};
/** What may stand in for MongoDB takes in a few who come back each second, as it reads a room's whole log for each. */
const [talkers, cutOff, everyMs] = testStore() === "mongodb" ? [12, 24, 3_000] : [40, 100, 1_000];

test(`[S6] every process replaced, one after another, under ${talkers} clients who talk: nothing lost, nothing twice, no send fails, nobody waits long`, {
  timeout,
}, async (t) => {
  const talk = { clients: talkers, rooms: 4, everyMs };
  const size = { gateways: 2, chatWorkers: 2, otherWorkers: 1, drainMs: 2_000 };
  const { rows, failures } = await runRestartDrill(t, { ...talk, ...size, maxGapMs: 10_000 }, quiet);
  for (const { name, ours } of rows) t.diagnostic(`${name}: ${ours}`);
  assert.deepEqual(failures, []);
});

test(`[R1] [R5] [R6] one of two gateways is killed under ${cutOff} clients: all are back in 30 s, with everything`, {
  timeout,
}, async (t) => {
  const talk = { clients: cutOff, rooms: 10, everyMs: 2 * everyMs };
  const most = { maxBackMs: 30_000, maxLoopDelayMs: 2_000 };
  const { rows, failures } = await runKillDrill(t, { ...talk, ...most, chatWorkers: 2, watchMs: 1_000 }, quiet);
  for (const { name, ours } of rows) t.diagnostic(`${name}: ${ours}`);
  assert.deepEqual(failures, []);
});
