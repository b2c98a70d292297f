import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ActiveUsersData } from "@parley/protocol";
import { connectPresenceClient, type PresenceClient, whenPresent } from "../support/presence-client.ts";
import { startTestStack, testStore } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

/** What may stand in for MongoDB takes twenty milliseconds to note that somebody is back. */
const sessions = testStore() === "mongodb" ? 100 : 500;
const paused = testStore() === "mongodb" ? 40 : 100;

const stack = await startTestStack({ after }, { gateways: 3, presence: 2, chat: 1, loadTest: true });
await whenPresent(stack, 3);

const connectMany = async (count: number, gateway: number) => {
  const clients: PresenceClient[] = [];
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(50, count - clients.length) }, (_, i) =>
      connectPresenceClient(stack, `c${clients.length + i}`, { gateway, presence: "none" }),
    );
    clients.push(...(await Promise.all(some)));
  }
  return clients;
};
const comeBack = (clients: PresenceClient[], gateway: number) =>
  Promise.all(clients.map(({ token }) => connectPresenceClient(stack, "", { gateway, presence: "none", token })));
const toldOf = (watcher: PresenceClient, clients: PresenceClient[], kind: "online" | "offline") =>
  clients.filter(({ user }) => watcher.told(kind, user.id).length > 0).length;
const everyone = async (client: PresenceClient) => {
  const ids = new Map<string, string>();
  for (let next: string | null = null; ; ) {
    const page: ActiveUsersData = await client.request("ActiveUsers", { next, limit: 200 });
    for (const { id, status } of page.users) ids.set(id, status);
    ({ next } = page);
    if (next === null) return ids;
  }
};

describe("gateways that die or stop, with their sessions", { concurrency: true }, () => {
  test(`[P2] SIGKILL of a gateway with ${sessions} sessions: who does not return is grey within 15 s, who does never flickers`, {
    timeout: 90_000,
  }, async () => {
    const watcher = await connectPresenceClient(stack, "watcher", { gateway: 2 });
    const clients = await connectMany(sessions, 1);
    await waitFor("all to be told", () => toldOf(watcher, clients, "online") === clients.length);
    stack.kill9("gateway", 1);
    const killedAtMs = Date.now();
    const returning = clients.slice(0, sessions / 2);
    const gone = clients.slice(sessions / 2);
    await comeBack(returning, 2);
    await waitFor("all who did not return to be told", () => toldOf(watcher, gone, "offline") === gone.length, {
      timeoutMs: 30_000,
    });
    const tookMs = Date.now() - killedAtMs;
    assert.ok(tookMs <= 15_000, `after ${tookMs} ms`);
    const here = await everyone(watcher);
    assert.equal(gone.filter(({ user }) => here.has(user.id)).length, 0);
    assert.equal(returning.filter(({ user }) => here.get(user.id) === "online").length, returning.length);
    assert.equal(toldOf(watcher, returning, "offline"), 0, "nobody who returned was ever told offline");
    console.log(`# ${gone.length} of ${sessions} sessions grey ${tookMs} ms after the kill`);
  });

  test("[P2] SIGSTOP of a gateway for 30 s, then SIGCONT: it puts nobody offline who reconnected elsewhere", {
    timeout: 120_000,
  }, async () => {
    const watcher = await connectPresenceClient(stack, "watcher", { gateway: 2 });
    const clients = await connectMany(paused, 3);
    await waitFor("all to be told", () => toldOf(watcher, clients, "online") === clients.length);
    stack.pause("gateway", 3);
    const returned = clients.slice(0, paused / 2);
    const others = clients.slice(paused / 2);
    await comeBack(returned, 2);
    // As a client does that hears nothing: it gives the connection up.
    for (const { socket } of clients) socket.terminate();
    await sleep(30_000);
    assert.equal(toldOf(watcher, others, "offline"), others.length, "those who did not return are grey meanwhile");
    stack.resume("gateway", 3);
    const back = await waitFor("the gateway to answer again", () =>
      connectPresenceClient(stack, "after", { gateway: 3, presence: "none" }),
    );
    await waitFor("only who returned to be there", async () => {
      const here = await everyone(watcher);
      return others.every(({ user }) => !here.has(user.id)) && here.has(back.user.id);
    });
    const here = await everyone(watcher);
    assert.equal(returned.filter(({ user }) => here.get(user.id) === "online").length, returned.length);
    assert.equal(toldOf(watcher, returned, "offline"), 0);
  });
});
