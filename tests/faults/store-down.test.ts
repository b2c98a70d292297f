import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { connectTestClient } from "../support/websocket-client.ts";

test("[R1] [E1] the store can't be written to: sends are refused as unavailable within 10 s, typing goes on, and sends go on by themselves", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { gateways: 1 });
  const url = `${stack.wsUrl()}/ws`;
  const [ada, bob] = [await connectTestClient(url), await connectTestClient(url)];
  t.after(() => Promise.all([ada.close(), bob.close()]));
  for (const client of [ada, bob]) {
    await client.registerGuest();
    await client.request("JoinRoom", { room: "r" });
  }
  const message = (clientMessageId: string) => ({ room: "r", clientMessageId, text: "hi" });
  await ada.request("SendMessage", message("before"));

  const locker = new DatabaseSync(join(stack.stateDir, "data/parley.db"), { timeout: 5_000 });
  t.after(() => locker.close());
  locker.exec("BEGIN EXCLUSIVE");
  const startedAt = performance.now();
  const sending = ada.send("SendMessage", message("meanwhile"));
  await ada.request("Typing", { room: "r", typing: true });
  await bob.waitForEvent("typing", ({ data }) => (data as { typing?: boolean }).typing === true, 2_000);
  const refused = await sending;
  const tookMs = performance.now() - startedAt;
  assert.equal(refused.success, false);
  assert.deepEqual([refused.code, refused.retryable], ["unavailable", true]);
  assert.ok(tookMs < 10_500, `the refusal took ${Math.round(tookMs)} ms`);

  const waiting = ada.send("SendMessage", message("meanwhile"));
  locker.exec("ROLLBACK");
  assert.equal((await waiting).success, true, "a send under way when the store is back succeeds");
  const stored = await ada.request<{ seq: number }>("SendMessage", message("meanwhile"));
  assert.equal(stored.seq, 2, "what was refused was stored once, by its repeat");
  await bob.waitForEvent("message", (event) => "seq" in event && event.seq === 2);
});
