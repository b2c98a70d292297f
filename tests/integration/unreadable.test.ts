/** What nobody of ours would write, on every subject that is in use: it costs itself, and nobody's connection to NATS. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const stack = await startTestStack({ after }, { gateways: 2, chat: 2, presence: 1, timers: 1, notify: 1 });

const unreadable: (string | Uint8Array)[] = [
  ...[
    "",
    "x",
    "{",
    "null",
    "0",
    '"x"',
    "[]",
    "[null]",
    "[1]",
    "{}",
    '{"order":"users"}',
    '{"users":[[]]}',
    '{"worker":1}',
  ],
  Uint8Array.from([0xff]),
  Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0]),
  Uint8Array.from([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]),
  new Uint8Array(300).fill(7),
];

test("messages that can't be read, on all subjects: everybody goes on", async (t) => {
  const port = stack.row("nats", 1).ports.client;
  const nc = await connect({ servers: process.env.NATS_URL ?? `127.0.0.1:${port}` });
  t.after(() => nc.close());
  const seen = new Set<string>();
  const all = nc.subscribe("parley.>", {
    callback: (_error, msg) => {
      seen.add(msg.subject);
      if (msg.reply) seen.add(msg.reply);
    },
  });
  const ada = await connectTestClient(`${stack.wsUrl(1)}/ws`);
  const bob = await connectTestClient(`${stack.wsUrl(2)}/ws`);
  t.after(() => Promise.all([ada.close(), bob.close()]));
  for (const [client, name] of [
    [ada, "Ada"],
    [bob, "Bob"],
  ] as const) {
    await client.registerGuest(name);
    await client.request("JoinRoom", { room: "open" });
  }
  const everything = async (round: number) => {
    const room = "open";
    const id = `${round}`;
    // What is under way when a message can't be read may have to be asked again.
    await waitFor("a message to be taken", async () => {
      const { success } = await ada.send("SendMessage", { room, clientMessageId: id, text: id });
      return success;
    });
    await waitFor(`message ${id} at the other gateway`, () =>
      bob.events.some(({ event, data }) => event === "message" && (data as { text: string }).text === id),
    );
    for (const [event, fields] of [
      ["StartTimer", { room }],
      ["ResetTimer", { room }],
      ["Notifications", {}],
      ["ActiveUsers", {}],
      ["Emit", { room, event: "wave", data: round }],
      ["Typing", { room, typing: true }],
    ] as const)
      await waitFor(`${event} to be answered`, async () => (await ada.send(event, fields)).success, {
        timeoutMs: 30_000,
      });
    await waitFor("the emitted event", () => bob.events.some(({ event, data }) => event === "wave" && data === round));
  };
  await everything(1);
  await waitFor("every service to be heard", () =>
    ["chat", "presence", "timer", "notify"].every((service) => seen.has(`parley.alive.${service}`)),
  );
  all.unsubscribe();
  const pids = stack.rows().map(({ pid }) => pid);
  assert.ok(seen.size > 12, [...seen].join());
  for (const subject of seen) for (const payload of unreadable) nc.publish(subject, payload);
  await nc.flush();
  await everything(2);
  assert.deepEqual(
    stack.rows().map(({ pid }) => pid),
    pids,
    "nobody was started again",
  );
  assert.equal(stack.lines().filter((line) => line.includes("reader closed")).length, 0);
});
