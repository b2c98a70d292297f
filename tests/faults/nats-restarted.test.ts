import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startTestNats } from "../support/start-nats.ts";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import { startLossyNats } from "./lossy-nats.ts";
import { startReader } from "./reader.ts";
import { startTraffic } from "./traffic.ts";

test("[R1] [R2] [R3] [R5] NATS is killed three times under senders: connections stay open, sends wait and go on, nothing is lost or told twice", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const traffic = await startTraffic(t, stack, { rooms: 20, messages: 6_000, perSecond: 800 });
  for (const share of [0.1, 0.4, 0.7]) {
    const sent = () => traffic.acknowledged() >= share * traffic.messages;
    await waitFor(`${share} of all sends`, sent, { timeoutMs: 30_000 });
    stack.kill9("nats", 1);
  }
  await traffic.check();
  assert.equal(stack.restarts("nats", 1), 3);
  for (const client of [...traffic.publishers, ...traffic.readers])
    assert.equal(client.connections(), 1, "connections stay open");
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
