import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestStack, testStore } from "../support/start-stack.ts";
import { type Killing, killInTurn } from "./kill-in-turn.ts";
import { startTraffic } from "./traffic.ts";

/**
 * What may stand in for MongoDB reads whole collections for each room that a worker takes over, and is not done with fifty
 * before the next kill, nor with as many messages where other programs run beside it.
 */
const { rooms, messages, killEveryMs } =
  testStore() === "mongodb"
    ? { rooms: 12, messages: 8_000, killEveryMs: 4_000 }
    : { rooms: 50, messages: 20_000, killEveryMs: 2_000 };
const leastKills = 3;
/** A dead worker is noticed within half a second; the rest is for slow machines. */
const goesOnWithinMs = 8_000;

test(`[R1] [R2] [R3] [R4] [R5] messages from 8 publishers into ${rooms} rooms while a chat worker is killed with SIGKILL every ${killEveryMs / 1_000} s: every acknowledged message is in the history and reached every subscriber once and in order`, {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  let killing: Killing | null = null;
  const traffic = await startTraffic(t, stack, {
    ...{ rooms, readers: 4, publishers: 8, messages, perSecond: messages / 25 },
    enough: () => (killing?.kills() ?? 0) >= leastKills,
  });
  killing = killInTurn(stack, "chat", killEveryMs, traffic.sent);
  const sent = await traffic.check();
  const kills = await killing.ended;

  assert.ok(kills >= leastKills, `only ${kills} kills fell among the sends`);
  const slowestMs = Math.max(...sent.flat().map(({ tookMs }) => tookMs));
  t.diagnostic(
    `${sent.flat().length} messages, ${kills} kills, slowest send ${Math.round(slowestMs)} ms, ${traffic.refusals()} refusals`,
  );
  assert.ok(slowestMs < goesOnWithinMs, `a send took ${Math.round(slowestMs)} ms`);
  for (const client of [...traffic.publishers, ...traffic.readers])
    assert.equal(client.connections(), 1, "connections stay open");
});
