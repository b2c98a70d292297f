import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type ConnectOptions,
  connect,
  type OutboxItem,
  type OutboxStorage,
  ParleyError,
  type TokenStorage,
} from "../src/index.ts";
import { type ScriptedServer, startScriptedServer } from "./scripted-server.ts";
import { until } from "./until.ts";

async function start(t: TestContext, options: Partial<ConnectOptions> = {}) {
  const server = await startScriptedServer();
  const client = connect({ url: server.url, guest: { name: "Ada" }, ...options });
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  return { server, client };
}

function memoryStorage(): TokenStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

const texts = (server: ScriptedServer, room: string) => server.entries(room).map((entry) => entry.text);
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i + 1));

test("connects, registers and sends; the message shows up once, no longer pending", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  assert.equal(client.state, "online");
  assert.equal(client.readyState, 1);
  assert.equal(client.snapshot().user?.name, "Ada");
  const sending = room.send("hi");
  assert.deepEqual(
    room.snapshot().pending.map(({ text, state }) => [text, state]),
    [["hi", "pending"]],
  );
  assert.equal((await sending).seq, 1);
  await until("shown", () => room.snapshot().messages.length === 1);
  assert.equal(room.snapshot().messages[0]!.text, "hi");
  assert.equal(room.snapshot().pending.length, 0);
  assert.deepEqual(texts(server, "r"), ["hi"]);
});

test("a snapshot is the same object until something changes", async (t) => {
  const { client } = await start(t);
  const room = client.room("r");
  await room.join();
  await client.call("Heartbeat");
  const before = room.snapshot();
  assert.equal(room.snapshot(), before);
  await room.send("x");
  assert.notEqual(room.snapshot(), before);
});

test("[R5] what arrives out of order, twice or with a hole is given out in order, once", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  const got: (string | null)[] = [];
  room.on("message", (entry) => got.push(entry.text));
  await room.join();
  server.append("r", "1");
  server.append("r", "2", false);
  server.append("r", "3", false);
  server.append("r", "4");
  const repeat = server.entries("r")[0]!;
  server.tellAll({ event: "message", room: "r", seq: 1, data: repeat });
  await until("all four", () => got.length >= 4);
  server.append("r", "5");
  await until("the fifth", () => got.length >= 5);
  assert.deepEqual(got, numbers(5));
});

test("[R6] after a lost connection a room goes on where it was, also over more than one answer holds", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  const got: (string | null)[] = [];
  room.on("message", (entry) => got.push(entry.text));
  await room.join();
  server.append("r", "1");
  await until("the first", () => got.length === 1);
  server.setScript(({ event }) => (event === "Register" ? { refuse: "unavailable", retryable: true } : undefined));
  server.cut(1006);
  await until("reconnecting", () => client.state === "reconnecting");
  for (const text of numbers(700).slice(1)) server.append("r", text);
  server.setScript(() => undefined);
  await until("all of them", () => got.length >= 700, 10_000);
  server.append("r", "701");
  await until("live again", () => got.length >= 701);
  assert.deepEqual(got, numbers(701));
});

test("[R6] a log that began anew is read anew, after a reset is told", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  const told: (string | null)[] = [];
  room.on("message", (entry) => told.push(entry.text));
  room.on("reset", () => told.push("reset"));
  await room.join();
  server.append("r", "old");
  await until("old", () => told.length === 1);
  server.resetRoom("r", "e2");
  server.append("r", "new");
  server.cut(4001);
  await until("read anew", () => room.snapshot().messages[0]?.text === "new");
  server.append("r", "newer");
  await until("live", () => told.length === 3);
  assert.deepEqual(told, ["old", "reset", "newer"]);
  assert.deepEqual(
    room.snapshot().messages.map(({ text }) => text),
    ["new", "newer"],
  );
});

test("room.reset drops what is held and joins again", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  await room.send("old");
  server.resetRoom("r", "e2");
  server.tellAll({ event: "room.reset", room: "r", data: { epoch: "e2" } });
  await until("dropped", () => room.snapshot().messages.length === 0);
  await until("joined again", () => server.asked.filter(({ event }) => event === "JoinRoom").length === 2);
  await room.send("new");
  await until("shown", () => room.snapshot().messages[0]?.text === "new");
});

test("a deleted room is not made again by its listeners; joining it is a new wish", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  await room.send("old");
  server.resetRoom("r", "e2");
  server.tellAll({ event: "room.reset", room: "r", data: { epoch: null } });
  await until("out", () => room.snapshot().state === "refused");
  assert.equal(room.snapshot().error?.code, "not_found");
  assert.deepEqual(room.snapshot().messages, []);
  server.cut(4001);
  await until("gone", () => client.state !== "online");
  await client.call("Heartbeat");
  assert.equal(server.asked.filter(({ event }) => event === "JoinRoom").length, 1);
  assert.deepEqual(server.asked.filter(({ event }) => event === "Register").at(-1)?.requestData.rooms, {});
  await room.join();
  assert.equal(room.snapshot().state, "live");
});

test("[E1] emit is asked once: a broken connection or a refusal rejects it", async (t) => {
  const { server, client } = await start(t);
  await client.ready();
  server.setScript(({ event }) => (event === "Emit" ? { refuse: "unavailable", retryable: true } : undefined));
  await assert.rejects(client.emit({ room: "r" }, "score", 1), { code: "unavailable" });
  server.setScript(({ event }) => {
    if (event === "Emit") server.cut(4002);
    return event === "Emit" ? null : undefined;
  });
  await assert.rejects(client.emit({ all: true }, "score", 2), { code: "disconnected" });
  await client.call("Heartbeat");
  const emitted = server.asked.filter(({ event }) => event === "Emit").map(({ requestData }) => requestData);
  assert.deepEqual(emitted, [
    { room: "r", event: "score", data: 1 },
    { all: true, event: "score", data: 2 },
  ]);
});

test("[R3] [R4] unacknowledged sends are sent again with the same id, in order, and resolve once", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  let broken = 0;
  // Stored, and then the connection breaks before the answer: three times in different places.
  server.setScript(({ event }) => {
    if (event !== "SendMessage" || broken === 3 || server.entries("r").length !== broken * 5) return undefined;
    broken++;
    setTimeout(() => server.cut(4002), 5);
    return undefined;
  });
  const sent = await Promise.all(numbers(20).map((text) => room.send(text)));
  assert.deepEqual(
    sent.map(({ seq }) => seq),
    numbers(20).map(Number),
  );
  assert.deepEqual(texts(server, "r"), numbers(20));
  assert.equal(broken, 3);
  await until("shown", () => room.snapshot().messages.length === 20 && room.snapshot().pending.length === 0);
});

test("[R4] a retryable refusal is tried again without letting later ones overtake", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  let refusals = 0;
  server.setScript(({ event }) =>
    event === "SendMessage" && refusals++ < 2
      ? { refuse: "rate_limited", retryable: true, retryAfterMs: 20 }
      : undefined,
  );
  await Promise.all(["1", "2", "3"].map((text) => room.send(text)));
  assert.deepEqual(texts(server, "r"), ["1", "2", "3"]);
});

test("[R3] what was refused for now goes again when its time is over, also by a clock that was set back", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  let refusals = 0;
  server.setScript(({ event }) => {
    if (event !== "SendMessage" || refusals++ > 1) return undefined;
    // By a timer's own measure its time is over before this clock says so.
    const setBackMs = Date.now() - 3_600_000;
    t.mock.method(Date, "now", () => setBackMs);
    return { refuse: "unavailable", retryable: true, retryAfterMs: 20 };
  });
  await room.send("1");
  assert.deepEqual(texts(server, "r"), ["1"]);
});

test("[R4] several messages of a room are under way at once", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  const held: (() => void)[] = [];
  server.setScript(({ event, requestData, requestId }, socket) => {
    if (event !== "SendMessage") return undefined;
    const data = { room: "r", seq: Number(requestData.text), at: new Date().toISOString(), duplicate: false };
    const reply = { eventType: "Reply", event, requestId, success: true, data, error: null };
    held.push(() => socket.send(JSON.stringify(reply)));
    return null;
  });
  const sent = Promise.all(numbers(40).map((text) => room.send(text)));
  await until("a window", () => held.length === 16);
  await client.call("Heartbeat");
  assert.equal(held.length, 16);
  const asked = server.asked.filter(({ event }) => event === "SendMessage").map(({ requestData }) => requestData);
  assert.deepEqual(
    asked.map(({ after }) => after),
    [undefined, ...asked.slice(0, -1).map(({ clientMessageId }) => clientMessageId)],
  );
  for (let answered = 0; answered < 40; answered++) {
    await until("the next", () => held.length > answered);
    held[answered]!();
  }
  assert.deepEqual(
    (await sent).map(({ seq }) => seq),
    numbers(40).map(Number),
  );
});

/** An outbox that outlives its client, as IndexedDB does. */
function memoryOutbox() {
  const items = new Map<string, OutboxItem>();
  const storage: OutboxStorage = {
    load: async () => [...items.values()].map((item) => structuredClone(item)),
    put: async (item) => void items.set(item.requestData.clientMessageId, structuredClone(item)),
    remove: async (id) => void items.delete(id),
  };
  return { items, storage };
}

test("[R3] what was written offline survives the page: shown as pending, sent once, in order, before what comes later", async (t) => {
  const storage = memoryStorage();
  const outbox = memoryOutbox();
  const { server, client } = await start(t, { storage, outbox: outbox.storage });
  await client.room("r").join();
  await client.room("r").send("acknowledged");
  // Stored, but the answer never comes; and two that never leave.
  server.setScript(({ event }) => {
    if (event === "SendMessage") server.cut(1006);
    return event === "Register" ? { refuse: "unavailable", retryable: true } : undefined;
  });
  for (const text of ["stored", "lost 1", "lost 2"])
    client
      .room("r")
      .send(text)
      .catch(() => {});
  await until("the connection is away", () => client.state === "reconnecting");
  // The page is gone without a word.
  const left = memoryOutbox();
  for (const [id, item] of outbox.items) left.items.set(id, item);
  assert.equal(left.items.size, 3);
  await client.close();
  server.setScript(() => undefined);
  const next = connect({ url: server.url, storage, outbox: left.storage, open: false });
  t.after(() => next.close());
  await until("shown again", () => next.room("r").snapshot().pending.length > 0);
  const last = next.room("r").send("later");
  next.open();
  await last;
  assert.deepEqual(texts(server, "r").slice(-4), ["stored", "lost 1", "lost 2", "later"]);
  assert.equal(new Set(texts(server, "r")).size, texts(server, "r").length);
  await until("nothing is kept", () => left.items.size === 0);
  assert.deepEqual(next.room("r").snapshot().pending, []);
});

test("what somebody else wrote on this device is neither sent nor shown, and stays theirs", async (t) => {
  const { storage, items } = memoryOutbox();
  const requestData = { room: "r", clientMessageId: "theirs", text: "mine, not yours" };
  await storage.put({ event: "SendMessage", requestData, at: new Date().toISOString(), user: "somebody-else" });
  const { server, client } = await start(t, { outbox: storage });
  await client.room("r").send("own");
  await until("not shown", () => client.room("r").snapshot().pending.length === 0);
  assert.deepEqual(texts(server, "r"), ["own"]);
  assert.deepEqual([...items.keys()], ["theirs"]);
});

test("[R7] what was read while the list of rooms was asked for does not become unread again", async (t) => {
  const { server, client } = await start(t, { open: false });
  let answered = 0;
  server.setScript(({ event }) => {
    if (event !== "Rooms") return undefined;
    // The second answer is from before the mark that comes ahead of it.
    if (answered++ > 0) server.tellAll({ event: "read", room: "r", data: { user: "me", seq: 3, unread: 0 } });
    return { rooms: [{ room: "r", head: 3, lastRead: 0, unread: 3, last: null }], next: null };
  });
  client.open();
  await until("the list", () => client.rooms.get("r")?.unread === 3);
  server.cut(1006);
  await until("the second list", () => answered === 2);
  await client.call("Heartbeat");
  assert.deepEqual(client.rooms.get("r"), { room: "r", head: 3, lastRead: 3, unread: 0, last: null });
});

test("[P3] who comes or goes while a page of people is asked for is shown as told, not as the page has it", async (t) => {
  const { server, client } = await start(t, { open: false });
  const person = (id: string, status: "online" | "offline") => ({ id, name: id, status, devices: 1, lastSeenAt: null });
  server.setScript(({ event, requestData }) => {
    if (event === "Register")
      return {
        user: { id: "me", name: "Me" },
        rooms: {},
        activeUsers: { users: [person("me", "online")], total: 3, next: "2" },
      };
    if (event !== "ActiveUsers") return undefined;
    assert.equal(requestData.next, "2");
    server.tellAll({
      event: "presence",
      data: { online: [person("came", "online")], offline: [person("went", "offline")] },
    });
    return { users: [person("went", "online"), person("stays", "online")], total: 3, next: null };
  });
  client.open();
  await until("the first page", () => client.presence.snapshot().hasMore);
  await client.presence.more();
  const seen = client.presence.snapshot().users.map(({ id, status }) => `${id} ${status}`);
  assert.deepEqual(seen, ["came online", "me online", "stays online", "went offline"]);
});

test("a refusal for good rejects, shows as failed, and can be retried or discarded", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  server.setScript(({ event }) => (event === "SendMessage" ? { refuse: "muted" } : undefined));
  await assert.rejects(room.send("one"), (error) => error instanceof ParleyError && error.code === "muted");
  void room.send("two");
  await until("both failed", () => room.snapshot().pending.every(({ state }) => state === "failed"));
  const [one, two] = room.snapshot().pending;
  server.setScript(() => undefined);
  room.discard(one!.clientMessageId);
  room.retry(two!.clientMessageId);
  await until("sent", () => room.snapshot().messages.length === 1);
  assert.deepEqual(texts(server, "r"), ["two"]);
  assert.equal(room.snapshot().pending.length, 0);
});

test("a message after which the connection dies twice is set aside, and what was sent beside it is not", async (t) => {
  const { server, client } = await start(t);
  server.setScript(({ event, requestData }) => {
    if (event !== "SendMessage") return undefined;
    if (requestData.text === "poison") server.cut(1006);
    return requestData.text === "poison" || server.connections() === 0 ? null : undefined;
  });
  // First among others, then alone, and alone again.
  const poison = assert.rejects(client.room("a").send("poison"), { code: "set_aside" });
  const others = Promise.all(["b", "c", "d"].map((name) => client.room(name).send("fine")));
  await Promise.all([poison, others]);
  assert.equal(server.asked.filter(({ requestData }) => requestData?.text === "poison").length, 3);
});

test("a guest comes back as the same guest, and as a new one when the token is no longer good", async (t) => {
  const storage = memoryStorage();
  const { server, client } = await start(t, { storage });
  await client.ready();
  const again = connect({ url: server.url, guest: {}, storage });
  await again.ready();
  assert.equal(again.snapshot().user?.id, client.snapshot().user?.id);
  await again.close();
  assert.equal(again.readyState, 3);
  server.setScript(({ event, requestData }, socket) => {
    if (event !== "Register" || !requestData.token) return undefined;
    queueMicrotask(() => socket.close(4500));
    return { refuse: "unauthorized" };
  });
  const other = connect({ url: server.url, guest: {}, storage });
  await other.ready();
  assert.notEqual(other.snapshot().user?.id, client.snapshot().user?.id);
  await other.close();
});

test("4500–4999 ends it for good, and everything that waits is told", async (t) => {
  const { server, client } = await start(t);
  await client.ready();
  server.setScript(({ event }) => (event === "SendMessage" ? null : undefined));
  const sending = assert.rejects(client.room("r").send("x"), ParleyError);
  await until("asked", () => server.asked.some(({ event }) => event === "SendMessage"));
  server.cut(4503);
  await sending;
  assert.equal(client.state, "closed");
  await assert.rejects(client.call("Rooms"), ParleyError);
  await assert.rejects(client.room("r").send("y"), ParleyError);
});

test("[S6] Drain: the new connection is registered before the old one is left, and nobody notices", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  const states: string[] = [];
  await room.join();
  client.on("state", (state) => states.push(state));
  server.tellAll({ event: "Drain", data: { reconnectAfterMs: 20 } });
  server.append("r", "1");
  await until("changed over", () => states.includes("online") && server.connections() === 1);
  server.append("r", "2");
  await until("both", () => room.snapshot().messages.length === 2);
  assert.deepEqual(states, ["draining", "online"]);
});

test("a room that refuses says so, and may be joined later", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("secret");
  server.setScript(({ event }) => (event === "JoinRoom" ? { refuse: "forbidden" } : undefined));
  await assert.rejects(room.join(), { code: "forbidden" });
  assert.equal(room.snapshot().state, "refused");
  server.setScript(() => undefined);
  await room.join();
  assert.equal(room.snapshot().state, "live");
});

test("history: the newest page first, older ones on demand, with later edits and reactions applied", async (t) => {
  const { server, client } = await start(t);
  for (const text of numbers(120)) server.append("r", text);
  const room = client.room("r");
  await room.join({ history: 50 });
  assert.equal(room.snapshot().messages.length, 50);
  assert.equal(room.snapshot().more, true);
  await room.edit(3, "three");
  await room.react(3, "👍");
  await room.delete(4);
  assert.equal(await room.history(100), false);
  const { messages, more } = room.snapshot();
  assert.equal(more, false);
  assert.deepEqual(
    messages.slice(0, 5).map(({ seq, text, deleted }) => [seq, text, deleted]),
    [[1, "1", false], [2, "2", false], [3, "three", false], [4, null, true], [5, "5", false]], // biome-ignore format: a table
  );
  assert.deepEqual(messages[2]!.reactions[0]?.by.length, 1);
  assert.ok(messages[2]!.editedAt);
});

test("join({since: 0}) gives the whole log as events", async (t) => {
  const { server, client } = await start(t);
  for (const text of numbers(450)) server.append("r", text);
  const room = client.room("r");
  const got: (string | null)[] = [];
  room.on("message", (entry) => got.push(entry.text));
  await room.join({ since: 0 });
  await until("all", () => got.length >= 450);
  assert.deepEqual(got, numbers(450));
});

test("typing is told seldom, and ends with the typist's message", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  for (let i = 0; i < 20; i++) room.typing(true);
  room.typing(false);
  await client.call("Heartbeat");
  assert.deepEqual(
    server.asked.filter(({ event }) => event === "Typing").map(({ requestData }) => requestData.typing),
    [true, false],
  );
  server.tellAll({ event: "typing", room: "r", data: { user: { id: "other", name: "Other" }, typing: true } });
  await until("typing", () => room.snapshot().typing[0]?.name === "Other");
  server.append("r", "done");
  await until("ended", () => room.snapshot().typing.length === 0);
});

test("leaving and joining again in a hurry ends where it was meant to, and misses nothing", async (t) => {
  const { server, client } = await start(t);
  const room = client.room("r");
  await room.join();
  void room.leave();
  void room.join();
  await room.leave();
  assert.equal(room.snapshot().state, "out");
  server.append("r", "meanwhile");
  await room.join();
  await until("caught up", () => room.snapshot().messages[0]?.text === "meanwhile");
});

test("a server that is not there is tried again soon, and calls wait for it", async (t) => {
  const { server, client } = await start(t);
  await client.ready();
  const { port } = new URL(server.url);
  await server.stop();
  const tries = new Set<number>();
  client.subscribe(() => tries.add(client.snapshot().nextTryAtMs ?? 0));
  const call = client.call("Rooms");
  await until("tries that failed at once", () => tries.size > 3);
  const back = await startScriptedServer(Number(port));
  t.after(() => back.stop());
  await call;
  assert.equal(client.state, "online");
});
