import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startTestNats } from "../support/start-nats.ts";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import { checkLogs } from "./check-logs.ts";
import { startLossyNats } from "./lossy-nats.ts";
import { startPublisher } from "./publisher.ts";
import { startReader } from "./reader.ts";

test("[R1] [R2] [R3] [R5] NATS is killed three times under senders: connections stay open, sends wait and go on, nothing is lost or told twice", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const urls = [1, 2].map((gateway) => `${stack.wsUrl(gateway)}/ws`);
  const rooms = Array.from({ length: 20 }, (_, i) => `room ${i}`);
  const readers = urls.map((url) => startReader(t, { urls: [url], rooms }));
  await Promise.all(readers.map((reader) => reader.online()));
  const count = 1_500;
  const publishers = Array.from({ length: 4 }, (_, i) =>
    startPublisher(t, { urls: [urls[i % 2]!], rooms, name: `p${i}`, count, perSecond: 200 }),
  );
  for (const share of [0.1, 0.4, 0.7]) {
    const all = () => publishers.every((publisher) => publisher.acknowledged() >= share * count);
    await waitFor(`${share} of all sends`, all, { timeoutMs: 30_000 });
    stack.kill9("nats", 1);
  }
  const sent = await Promise.all(publishers.map(({ done }) => done));
  assert.equal(stack.restarts("nats", 1), 3);
  await checkLogs(urls[0]!, rooms, sent, readers);
  for (const client of [...publishers, ...readers]) assert.equal(client.connections(), 1, "connections stay open");
});

test("[R5] a lost last entry is found by comparing heads, without another one to show the gap", {
  timeout: 120_000,
}, async (t) => {
  const nats = await startTestNats(t);
  const lossy = await startLossyNats(t, nats.url);
  const stack = await startTestStack(t, { env: { NATS_URL: lossy.url }, chat: 1 });
  const reader = startReader(t, { urls: [`${stack.wsUrl(1)}/ws`], rooms: ["r"] });
  await reader.online();
  const sender = await connectTestClient(`${stack.wsUrl(2)}/ws`);
  await sender.registerGuest();
  const send = (clientMessageId: string) => sender.request("SendMessage", { room: "r", clientMessageId, text: "hi" });
  await send("first");
  await waitFor("the first message", () => reader.heard("r").length === 1);

  lossy.lose("gateway-1");
  await send("lost");
  // Long enough for it to have come, were it not lost.
  await sleep(300);
  assert.deepEqual(reader.heard("r"), ["first"], "the test's proxy has lost the entry");
  lossy.loseNoMore();
  await waitFor("the lost entry", () => reader.heard("r").length === 2, { timeoutMs: 15_000 });
  await send("third");
  await waitFor("the live entry after it", () => reader.heard("r").length === 3);
  assert.deepEqual(reader.heard("r"), ["first", "lost", "third"]);
  assert.deepEqual(reader.faults, []);
  assert.equal(reader.connections(), 1);
});
