import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connectRedis } from "@parley/presence";
import type { ActiveUsersData, PresenceData } from "@parley/protocol";
import { connectPresenceClient, type PresenceClient, whenPresent } from "../support/presence-client.ts";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import type { Teardown } from "../support/teardown.ts";
import { waitFor } from "../support/wait-for.ts";
import { whenReady } from "./kill-in-turn.ts";

/** People who come, go and change their status until told to stop; `here` is who is connected. */
function startChurn(teardown: Teardown, stack: TestStack) {
  const here = new Map<string, PresenceClient>();
  let over = false;
  let comings = 0;
  const one = async (i: number) => {
    while (!over) {
      const client = await connectPresenceClient(stack, `c${i}`, { gateway: 1 + (i % 2), presence: "none" });
      comings++;
      here.set(client.user.id, client);
      if (comings % 3 === 0) await client.send("SetStatus", { status: "busy" });
      await sleep(200 + Math.random() * 1_200);
      if (over) return;
      here.delete(client.user.id);
      if (comings % 2 === 0) await client.close();
      else await client.send("Unregister");
    }
  };
  const running = Promise.all(Array.from({ length: 24 }, (_, i) => one(i)));
  const stop = async () => {
    over = true;
    await running;
  };
  teardown.after(stop);
  return { here, comings: () => comings, stop };
}

/** What a watcher was told, and what ActiveUsers says, must both become what is true. */
async function becomesRight(watcher: PresenceClient, here: ReadonlyMap<string, unknown>, timeoutMs: number) {
  const others = (ids: Iterable<string>) => [...ids].filter((id) => id !== watcher.user.id).sort();
  const expected = others(here.keys()).join();
  await waitFor(
    "ActiveUsers and what was told to be right",
    async () => {
      const { users } = await watcher.request<ActiveUsersData>("ActiveUsers", { limit: 200 });
      return (
        others(users.map(({ id }) => id)).join() === expected && others(watcher.knows().keys()).join() === expected
      );
    },
    { timeoutMs, everyMs: 200 },
  );
}

/** Sends to a room until told to stop: chat does not notice. */
function startChat(client: PresenceClient) {
  let over = false;
  let slowestMs = 0;
  let sent = 0;
  const run = async () => {
    await client.request("JoinRoom", { room: "untouched" });
    while (!over) {
      const startMs = performance.now();
      await client.request("SendMessage", { room: "untouched", clientMessageId: `m${sent}`, text: "on and on" });
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
      sent++;
      await sleep(20);
    }
  };
  const running = run();
  return async () => {
    over = true;
    await running;
    return { sent, slowestMs };
  };
}

test("Redis stopped, killed and flushed under load: presence says that it is frozen, chat goes on, and presence is right within 15 s", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { presence: 2, chat: 1, loadTest: true });
  await whenPresent(stack, 2);
  const watcher = await connectPresenceClient(stack, "watcher");
  const chatter = await connectPresenceClient(stack, "chatter", { presence: "none" });
  const stopChat = startChat(chatter);
  const frozen = () =>
    watcher.events.flatMap(({ event, data }) => (event === "presence" ? ((data as PresenceData).frozen ?? []) : []));
  const churn = startChurn(t, stack);
  await waitFor("people", () => churn.comings() > 60);

  stack.pause("redis", 1);
  await waitFor("the watcher to hear of it", () => frozen().includes(true));
  const startMs = Date.now();
  assert.equal((await watcher.send("ActiveUsers")).code, "unavailable");
  assert.equal((await watcher.send("SetStatus", { status: "away" })).code, "unavailable");
  const late = await connectPresenceClient(stack, "late", { presence: "none" });
  assert.deepEqual([late.activeUsers.frozen, late.activeUsers.total], [true, 1]);
  assert.ok(Date.now() - startMs < 5_000, "refused at once, and let in all the same");
  await late.send("Unregister");

  stack.kill9("redis", 1);
  await waitFor("Redis to be back", () => frozen().at(-1) === false, { timeoutMs: 30_000 });
  const connection = connectRedis({ url: stack.engines.redis?.url ?? "", onError: () => {} });
  t.after(connection.close);
  await connection.whenUp(10_000);
  await connection.redis.flushall();
  const backAtMs = Date.now();
  await sleep(1_000);
  await churn.stop();
  const { sent, slowestMs } = await stopChat();
  await becomesRight(watcher, new Map([...churn.here, [chatter.user.id, chatter]]), 25_000);
  const tookMs = Date.now() - backAtMs;
  assert.ok(tookMs <= 15_000, `right after ${tookMs} ms`);
  assert.ok(sent > 100 && slowestMs < 3_000, `chat: ${sent} sent, the slowest in ${slowestMs} ms`);
  console.log(
    `# right ${tookMs} ms after Redis was flushed; ${sent} messages meanwhile, the slowest ${Math.round(slowestMs)} ms`,
  );
});

test("[P3] two presence workers, killed in turn under load: what was told and ActiveUsers agree with who is here", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { presence: 2, chat: 1, loadTest: true });
  await whenPresent(stack, 2);
  const watcher = await connectPresenceClient(stack, "watcher");
  const churn = startChurn(t, stack);
  await waitFor("people", () => churn.comings() > 40);
  for (const victim of [1, 2, 1]) {
    await whenReady(stack, "presence", 3 - victim);
    stack.kill9("presence", victim);
    const before = churn.comings();
    await waitFor("people to come and go", () => churn.comings() > before + 60, { timeoutMs: 30_000 });
  }
  await churn.stop();
  await becomesRight(watcher, churn.here, 30_000);
});
