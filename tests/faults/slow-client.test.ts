import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { whyTooSlow } from "../support/start-mongodb.ts";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import { readLogs } from "./check-logs.ts";
import { type Reader, startReader } from "./reader.ts";

const members = 50;
const slowMembers = 5;
const text = "x".repeat(15_000);
/** Enough to fill what the kernel keeps for a socket, and the 1 MiB that the gateway does. */
const maxMessages = 1_500;
const promptMs = 2_000;
const maxGrowthMiB = 64;

test("[S5] 5 of 50 members stop reading: the others get everything promptly, the slow ones are dropped and miss nothing when they come back", {
  timeout: 120_000,
  // Messages of 15 KB come back some seventeen a page.
  skip: await whyTooSlow(),
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true, gateways: 1, chat: 1 });
  const url = `${stack.wsUrl()}/ws`;
  const readers = Array.from({ length: members }, () => startReader(t, { urls: [url], rooms: ["r"] }));
  await Promise.all(readers.map((reader) => reader.online()));
  const slow = readers.slice(0, slowMembers);
  const quick = readers.slice(slowMembers);
  const sender = await connectTestClient(url);
  await sender.registerGuest();

  let sent = 0;
  let slowestMs = 0;
  const sendToAll = async (to: readonly Reader[]) => {
    const startedAt = performance.now();
    await sender.request("SendMessage", { room: "r", clientMessageId: `m${++sent}`, text });
    const allHave = () => to.every((reader) => reader.heard("r").length >= sent);
    await waitFor(`message ${sent} at all who read`, allHave, { everyMs: 1 });
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
  };
  for (let i = 0; i < 50; i++) await sendToAll(readers);
  const beforeMiB = memoryMiB(stack);
  let peakMiB = beforeMiB;

  for (const reader of slow) reader.pause();
  while ((await dropped(stack)) < slowMembers) {
    assert.ok(sent < maxMessages, `after ${sent} messages of ${text.length} bytes not all the slow ones were dropped`);
    for (let i = 0; i < 20; i++) await sendToAll(quick);
    peakMiB = Math.max(peakMiB, memoryMiB(stack));
  }
  assert.equal(await dropped(stack), slowMembers, "nobody else was dropped");
  // Whether they read the close or not, the gateway has let go of them 5 s later.
  const left = async () => (await stats(stack)).sessions === members - slowMembers + 1;
  await waitFor("the slow ones' sessions to end", left, { timeoutMs: 8_000 });
  for (let i = 0; i < 20; i++) await sendToAll(quick);

  for (const reader of slow) reader.resume();
  // While they catch up, the room goes on.
  for (let i = 0; i < 50; i++) await sendToAll(quick);
  const caughtUp = () => slow.every((reader) => reader.heard("r").length >= sent);
  await waitFor("the slow ones to have everything", caughtUp, { timeoutMs: 20_000 });
  const ids = (await readLogs(url, ["r"])).get("r")!.map(({ clientMessageId }) => clientMessageId);
  assert.equal(ids.length, sent);
  for (const reader of readers) {
    assert.deepEqual(reader.heard("r"), ids);
    assert.deepEqual(reader.faults, []);
  }
  for (const reader of slow) {
    assert.equal(reader.connections(), 2, "dropped once, and back at the first attempt");
    assert.ok([4002, 1006].includes(reader.closeCodes[0]!), `closed with ${reader.closeCodes[0]}`);
  }
  for (const reader of quick) assert.equal(reader.connections(), 1);
  t.diagnostic(
    `${sent} messages, the slowest ${Math.round(slowestMs)} ms; ${beforeMiB} MiB before, ${peakMiB} at most`,
  );
  assert.ok(slowestMs < promptMs, `a message took ${Math.round(slowestMs)} ms to those who read`);
  assert.ok(peakMiB - beforeMiB < maxGrowthMiB, `the gateway grew from ${beforeMiB} to ${peakMiB} MiB`);
});

async function stats(stack: TestStack): Promise<{ sessions: number; slowDropped: number }> {
  const headers = { authorization: `Bearer ${stack.serviceToken}` };
  const response = await fetch(`${stack.internalUrl("gateway", 1)}/v1/sessions?limit=1`, { headers });
  return (await response.json()) as { sessions: number; slowDropped: number };
}

const dropped = async (stack: TestStack) => (await stats(stack)).slowDropped;

/** What the gateway has in memory; 0 where the system does not tell. */
function memoryMiB(stack: TestStack): number {
  const file = `/proc/${stack.row("gateway", 1).pid}/status`;
  if (!existsSync(file)) return 0;
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(file, "utf8"))?.[1]) / 1024);
}
