import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { checkLogs } from "./check-logs.ts";
import { type Killing, killInTurn } from "./kill-in-turn.ts";
import { startPublisher } from "./publisher.ts";
import { startReader } from "./reader.ts";

const messages = 20_000;
const publisherCount = 8;
const killEveryMs = 2_000;
const leastKills = 3;
/** A dead worker is noticed within half a second; the rest is for slow machines. */
const goesOnWithinMs = 8_000;

test("[R1] [R2] [R3] [R4] [R5] 20,000 messages from 8 publishers into 50 rooms while a chat worker is killed with SIGKILL every 2 s: every acknowledged message is in the history and reached every subscriber once and in order", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const urls = [1, 2].map((gateway) => `${stack.wsUrl(gateway)}/ws`);
  const rooms = Array.from({ length: 50 }, (_, i) => `room ${i}`);
  const readers = [0, 1, 0, 1].map((home) => startReader(t, { urls: [urls[home]!], rooms }));
  await Promise.all(readers.map((reader) => reader.online()));

  const count = messages / publisherCount;
  let killing: Killing | null = null;
  const enough = () => (killing?.kills() ?? 0) >= leastKills;
  const publishers = Array.from({ length: publisherCount }, (_, i) =>
    // 25 s at least, and until there were kills enough: on a slow machine they take their time.
    startPublisher(t, { urls: [urls[i % 2]!], rooms, name: `p${i}`, count, enough, perSecond: count / 25 }),
  );
  const sending = Promise.all(publishers.map(({ done }) => done));
  killing = killInTurn(stack, "chat", killEveryMs, sending);
  const sent = await sending;
  const kills = await killing.ended;

  assert.ok(kills >= leastKills, `only ${kills} kills fell among the sends`);
  await checkLogs(urls[0]!, rooms, sent, readers);
  const slowestMs = Math.max(...sent.flat().map(({ tookMs }) => tookMs));
  const refusals = publishers.reduce((sum, publisher) => sum + publisher.refusals(), 0);
  t.diagnostic(`${kills} kills, slowest send ${Math.round(slowestMs)} ms, ${refusals} refusals`);
  assert.ok(slowestMs < goesOnWithinMs, `a send took ${Math.round(slowestMs)} ms`);
  for (const client of [...publishers, ...readers]) assert.equal(client.connections(), 1, "connections stay open");
});
