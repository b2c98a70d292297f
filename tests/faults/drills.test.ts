// The drills of `npm run load`, small: what must hold holds at any size; the times are measured at full size.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runKillDrill } from "../load/src/drills/kill-drill.ts";
import { runRestartDrill } from "../load/src/drills/restart-drill.ts";

const timeout = 180_000;
const quiet = () => {};

test("[S6] every process replaced, one after another, under 40 clients who talk: nothing lost, nothing twice, no send fails, nobody waits long", {
  timeout,
}, async (t) => {
  const talk = { clients: 40, rooms: 4, everyMs: 1_000 };
  const size = { gateways: 2, chatWorkers: 2, otherWorkers: 1, drainMs: 2_000 };
  const { rows, failures } = await runRestartDrill(t, { ...talk, ...size, maxGapMs: 10_000 }, quiet);
  for (const { name, ours } of rows) t.diagnostic(`${name}: ${ours}`);
  assert.deepEqual(failures, []);
});

test("[R1] [R5] [R6] one of two gateways is killed under 100 clients: all are back in 30 s, with everything", {
  timeout,
}, async (t) => {
  const talk = { clients: 100, rooms: 10, everyMs: 2_000 };
  const most = { maxBackMs: 30_000, maxLoopDelayMs: 2_000 };
  const { rows, failures } = await runKillDrill(t, { ...talk, ...most, chatWorkers: 2, watchMs: 1_000 }, quiet);
  for (const { name, ours } of rows) t.diagnostic(`${name}: ${ours}`);
  assert.deepEqual(failures, []);
});
