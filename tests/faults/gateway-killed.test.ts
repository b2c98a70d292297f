import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { checkLogs } from "./check-logs.ts";
import { type Killing, killInTurn } from "./kill-in-turn.ts";
import { startPublisher } from "./publisher.ts";
import { startReader } from "./reader.ts";

const messages = 12_000;
const publisherCount = 8;
const killEveryMs = 3_000;
const leastKills = 3;

test("[R1] [R2] [R3] [R4] [R5] [R6] 12,000 messages while a gateway is killed with SIGKILL every 3 s: clients come back with since and have every entry once and in order", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const urls = [1, 2].map((gateway) => `${stack.wsUrl(gateway)}/ws`);
  const otherWay = [...urls].reverse();
  const rooms = Array.from({ length: 20 }, (_, i) => `room ${i}`);
  const readers = [urls, otherWay, urls, otherWay].map((from) => startReader(t, { urls: from, rooms }));
  await Promise.all(readers.map((reader) => reader.online()));

  const count = messages / publisherCount;
  let killing: Killing | null = null;
  const enough = () => (killing?.kills() ?? 0) >= leastKills;
  const publishers = Array.from({ length: publisherCount }, (_, i) =>
    // 25 s at least, and until there were kills enough: on a slow machine they take their time.
    startPublisher(t, {
      urls: i % 2 === 0 ? urls : otherWay,
      rooms,
      name: `p${i}`,
      count,
      enough,
      perSecond: count / 25,
    }),
  );
  const sending = Promise.all(publishers.map(({ done }) => done));
  killing = killInTurn(stack, "gateway", killEveryMs, sending);
  const sent = await sending;
  const kills = await killing.ended;

  assert.ok(kills >= leastKills, `only ${kills} kills fell among the sends`);
  await checkLogs(urls[0]!, rooms, sent, readers);
  for (const client of [...publishers, ...readers]) {
    assert.ok(client.connections() > kills / 2, "each was cut off and came back");
  }
});
