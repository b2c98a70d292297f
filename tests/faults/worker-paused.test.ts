import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { pauseOutsideTransaction } from "./pause-outside-transaction.ts";
import { startTraffic } from "./traffic.ts";

const pauseMs = 6_000;
/** A batch without an answer goes to another worker after 2 s; the rest is for slow machines. */
const goesOnWithinMs = 5_000;

test("[R1] [R2] [R3] [R5] a chat worker that stops for 6 s and then goes on where it was, with rooms that another one has by then: nothing lost, nothing twice", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const traffic = await startTraffic(t, stack, { rooms: 20, messages: 4_800, perSecond: 400 });
  const heard = () => traffic.rooms.map((room) => traffic.readers[0]!.heard(room).length);
  await waitFor("every room to be in use", () => heard().every((length) => length >= 3));

  await pauseOutsideTransaction(stack, "chat", 1);
  const pausedAt = performance.now();
  const before = heard();
  const allGoOn = waitFor("all rooms to go on", () => heard().every((length, i) => length >= before[i]! + 3), {
    timeoutMs: pauseMs + goesOnWithinMs,
  }).then(() => performance.now() - pausedAt);
  await sleep(pauseMs);
  stack.resume("chat", 1);
  const wentOnAfterMs = await allGoOn;
  await traffic.check();
  t.diagnostic(`all rooms went on after ${Math.round(wentOnAfterMs)} ms, ${traffic.refusals()} refusals`);
  assert.ok(wentOnAfterMs < goesOnWithinMs, `all rooms went on only after ${Math.round(wentOnAfterMs)} ms`);
});
