import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type ConnectOptions, connect, type Parley } from "@parley/client";
import { startTestStack, type TestStack, testStore } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

function open(t: TestContext, stack: TestStack, gateway: number, options: Partial<ConnectOptions> = {}): Parley {
  const client = connect({ url: `${stack.wsUrl(gateway)}/ws`, guest: { name: `guest on ${gateway}` }, ...options });
  t.after(() => client.close());
  return client;
}

/** Hears a room from its start and keeps the numbers and texts as they come. */
async function hear(client: Parley, room: string) {
  const heard: { seq: number; text: string | null; sender: string }[] = [];
  client.room(room).on("message", ({ seq, text, sender }) => heard.push({ seq, text, sender: sender.id }));
  client.room(room).on("reset", () => assert.fail("nothing was thrown away here"));
  await client.room(room).join({ since: 0 });
  return heard;
}

test("[R1] [R3] [R4] [R5] [R6] gateways are killed under senders and readers: each message once, in order, to all", async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const rooms = ["a", "b>*.", "c 🎉"];
  // What may stand in for MongoDB reads a room's whole log for each page, and for each head.
  const perRoom = testStore() === "mongodb" ? 50 : 200;
  const readers = [open(t, stack, 1), open(t, stack, 2)];
  const heard = await Promise.all(readers.map((reader) => Promise.all(rooms.map((room) => hear(reader, room)))));
  const senders = [1, 2, 1, 2].map((gateway) => open(t, stack, gateway));
  let stored = 0;
  const sending = senders.flatMap((sender, who) =>
    rooms.map(async (room) => {
      const sent: number[] = [];
      // A few at a time, as people and programs do, so that kills fall among them.
      for (let i = 0; i < perRoom; i += 5) {
        const texts = [0, 1, 2, 3, 4].map((k) => `${who} ${i + k}`);
        const answers = await Promise.all(texts.map((text) => sender.room(room).send(text)));
        stored += answers.length;
        sent.push(...answers.map(({ seq }) => seq));
      }
      return sent;
    }),
  );
  const total = senders.length * rooms.length * perRoom;
  for (const [gateway, share] of [
    [1, 0.15],
    [2, 0.4],
    [1, 0.7],
  ] as const) {
    // biome-ignore format: a table
    await waitFor(`${share} of all`, () => stored >= total * share, { timeoutMs: 60_000 });
    const restarts = stack.restarts("gateway", gateway);
    stack.kill9("gateway", gateway);
    await waitFor("its restart", () => stack.restarts("gateway", gateway) > restarts);
  }
  const sent = await Promise.all(sending);
  const each = senders.length * perRoom;
  await waitFor("all to be heard", () => heard.flat().every(({ length }) => length >= each), { timeoutMs: 30_000 });
  for (const [r] of rooms.entries()) {
    const seqs = sent.filter((_, i) => i % rooms.length === r);
    assert.deepEqual(
      seqs.flat().sort((x, y) => x - y),
      Array.from({ length: each }, (_, i) => i + 1),
    );
    // [R4] of each sender, through every reconnection.
    for (const own of seqs)
      assert.deepEqual(
        own,
        [...own].sort((x, y) => x - y),
      );
    for (const reader of heard) {
      assert.deepEqual(
        reader[r]!.map(({ seq }) => seq),
        Array.from({ length: each }, (_, i) => i + 1),
      );
      assert.equal(new Set(reader[r]!.map(({ text }) => text)).size, each);
    }
    assert.deepEqual(heard[0]![r], heard[1]![r]);
  }
});

test("[S6] a gateway drains under senders: every send succeeds, none is stored twice, and readers miss nothing", async (t) => {
  const stack = await startTestStack(t, { drainMs: 1_000 });
  const reader = open(t, stack, 2);
  const heard = await hear(reader, "r");
  const sender = open(t, stack, 1);
  await sender.ready();
  const before = sender.snapshot().hello!.node;
  const moved = () => sender.state === "online" && sender.snapshot().hello!.node !== before;
  let sent = 0;
  stack.terminate("gateway", 1);
  while (!moved()) await sender.room("r").send(`message ${++sent}`);
  await sender.room("r").send(`message ${++sent}`);
  await waitFor("all to be heard", () => heard.length >= sent);
  assert.deepEqual(
    heard.map(({ text }) => text),
    Array.from({ length: sent }, (_, i) => `message ${i + 1}`),
  );
});

test("a guest's token is good on every gateway, and a bad one begins a new guest", async (t) => {
  const stack = await startTestStack(t, { chat: 1 });
  const items = new Map<string, string>();
  const storage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  const first = open(t, stack, 1, { storage });
  await first.ready();
  await first.room("r").join();
  await first.room("r").send("mine");
  await first.close();
  const second = open(t, stack, 2, { storage });
  await second.room("r").join();
  assert.equal(second.snapshot().user!.id, first.snapshot().user!.id);
  assert.equal(second.room("r").snapshot().messages[0]!.sender.id, first.snapshot().user!.id);
  items.set("parley.guest", `${items.get("parley.guest")}x`);
  const third = open(t, stack, 1, { storage });
  await third.ready();
  assert.notEqual(third.snapshot().user!.id, first.snapshot().user!.id);
});

test("[R7] unread counts follow what others send and what one's other device reads", async (t) => {
  const stack = await startTestStack(t, { chat: 1 });
  const items = new Map<string, string>();
  const storage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  const phone = open(t, stack, 1, { storage });
  await phone.room("r").join();
  await phone.room("r").send("mine");
  await phone.room("r").leave();
  const desk = open(t, stack, 2, { storage });
  await desk.ready();
  const other = open(t, stack, 2);
  for (const text of ["1", "2", "3"]) await other.room("r").send(text);
  const unread = (client: Parley) => client.rooms.get("r")?.unread;
  await waitFor("3 unread on both", () => unread(phone) === 3 && unread(desk) === 3);
  await desk.room("r").join();
  desk.room("r").markRead();
  await waitFor("none on both", () => unread(phone) === 0 && unread(desk) === 0);
});
