import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { checkLogs } from "./check-logs.ts";
import { killInTurn } from "./kill-in-turn.ts";
import { startPublisher } from "./publisher.ts";
import { startReader } from "./reader.ts";

const messages = 12_000;
const publisherCount = 8;
const killEveryMs = 3_000;

test("[R1] [R2] [R3] [R4] [R5] [R6] 12,000 messages while a gateway is killed with SIGKILL every 3 s: clients come back with since and have every entry once and in order", async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const urls = [1, 2].map((gateway) => `${stack.wsUrl(gateway)}/ws`);
  const otherWay = [...urls].reverse();
  const rooms = Array.from({ length: 20 }, (_, i) => `room ${i}`);
  const readers = [urls, otherWay, urls, otherWay].map((from) => startReader(t, { urls: from, rooms }));
  await Promise.all(readers.map((reader) => reader.online()));

  const count = messages / publisherCount;
  const publishers = Array.from({ length: publisherCount }, (_, i) =>
    // 25 s at least, so that kills fall among them.
    startPublisher(t, { urls: i % 2 === 0 ? urls : otherWay, rooms, name: `p${i}`, count, perSecond: count / 25 }),
  );
  const sending = Promise.all(publishers.map(({ done }) => done));
  const killing = killInTurn(stack, "gateway", killEveryMs, sending);
  const sent = await sending;
  const kills = await killing;

  assert.ok(kills >= 3, `only ${kills} kills fell among the sends`);
  await checkLogs(urls[0]!, rooms, sent, readers);
  for (const client of [...publishers, ...readers]) {
    assert.ok(client.connections() > kills / 2, "each was cut off and came back");
  }
});
