import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { type Killing, killInTurn } from "./kill-in-turn.ts";
import { startTraffic } from "./traffic.ts";

const messages = 12_000;
const killEveryMs = 3_000;
const leastKills = 3;

test("[R1] [R2] [R3] [R4] [R5] [R6] 12,000 messages while a gateway is killed with SIGKILL every 3 s: clients come back with since and have every entry once and in order", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  let killing: Killing | null = null;
  const traffic = await startTraffic(t, stack, {
    ...{ rooms: 20, readers: 4, publishers: 8, messages, perSecond: messages / 25, roam: true },
    enough: () => (killing?.kills() ?? 0) >= leastKills,
  });
  killing = killInTurn(stack, "gateway", killEveryMs, traffic.sent);
  await traffic.sent;
  const kills = await killing.ended;
  await traffic.check();

  assert.ok(kills >= leastKills, `only ${kills} kills fell among the sends`);
  for (const client of [...traffic.publishers, ...traffic.readers]) {
    assert.ok(client.connections() > kills / 2, "each was cut off and came back");
  }
});
