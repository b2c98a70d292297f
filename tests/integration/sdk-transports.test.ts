import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type ConnectOptions, connect, type Transport } from "@parley/client";
import { startProxy, type TestProxy } from "../support/start-proxy.ts";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

function memoryStorage() {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
}

function open(t: TestContext, proxy: TestProxy, options: Partial<ConnectOptions> = {}) {
  const client = connect({ url: `${proxy.url.replace("http", "ws")}/ws`, guest: { name: "Ada" }, ...options });
  t.after(() => client.close());
  return client;
}

for (const transport of ["sse", "poll"] as const satisfies Transport[]) {
  test(`[S7] [R3] [R4] [R5] over ${transport} with its requests cut again and again: each message once, in order`, async (t) => {
    const stack = await startTestStack(t, { chat: 1, loadTest: true });
    const proxies = [await startProxy(t, stack.httpUrl(1)), await startProxy(t, stack.httpUrl(2))] as const;
    const [sender, reader] = proxies.map((proxy) => open(t, proxy, { transports: [transport] }));
    const heard: (string | null)[] = [];
    reader!.room("r").on("message", ({ text }) => heard.push(text));
    reader!.room("r").on("reset", () => assert.fail("nothing was thrown away here"));
    await reader!.room("r").join({ since: 0 });
    assert.equal(reader!.snapshot().transport, transport);
    const texts = Array.from({ length: 300 }, (_, i) => `message ${i}`);
    let stored = 0;
    const sending = (async () => {
      for (let i = 0; i < texts.length; i += 10) {
        await Promise.all(texts.slice(i, i + 10).map((text) => sender!.room("r").send(text)));
        stored = i + 10;
      }
    })();
    for (const [share, proxy] of [
      [0.2, 0],
      [0.4, 1],
      [0.6, 0],
      [0.8, 1],
    ] as const) {
      await waitFor(`${share} of all`, () => stored >= texts.length * share, { timeoutMs: 60_000 });
      proxies[proxy]!.cut();
    }
    await sending;
    await waitFor("all to be heard", () => heard.length >= texts.length, { timeoutMs: 30_000 });
    assert.deepEqual(heard, texts);
  });
}

test("WebSocket refused: server-sent events; those held back: long polling; WebSocket passes again: back to it, and no state but online was seen", async (t) => {
  const stack = await startTestStack(t, { chat: 1, gateways: 1 });
  const proxy = await startProxy(t, stack.httpUrl(1));
  proxy.webSockets = "refuse";
  const storage = memoryStorage();
  const client = open(t, proxy, { storage });
  await client.room("r").join();
  assert.equal(client.snapshot().transport, "sse");
  await client.room("r").send("by sse");
  proxy.streams = "hold";
  // The next page remembers server-sent events, and finds them held back.
  const second = open(t, proxy, { storage });
  await second.ready();
  assert.equal(second.snapshot().transport, "poll");
  await second.room("r").send("by poll");
  await waitFor("both", () => client.room("r").snapshot().messages.length === 2);
  const third = open(t, proxy, { storage });
  await third.ready();
  assert.equal(third.snapshot().transport, "poll");
  const states: string[] = [];
  client.on("state", (state) => states.push(state));
  proxy.webSockets = "pass";
  await waitFor("the upgrade", () => client.snapshot().transport === "websocket", { timeoutMs: 30_000 });
  await client.room("r").send("by WebSocket");
  await waitFor(
    "all",
    () => second.room("r").snapshot().last === 0 || client.room("r").snapshot().messages.length === 3,
  );
  assert.deepEqual(states, []);
});
