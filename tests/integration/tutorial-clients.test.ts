// What somebody does on the first day, with a WebSocket test page or twenty lines of a tutorial.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import { type BareFrame, openBareSocket } from "./bare-socket.ts";

const greeting = "Hello! Message From Server!!";
const stack = await startTestStack({ after });
const ws = (gateway: number, path = "/ws") => `${stack.wsUrl(gateway)}${path}`;

test("/raw: the server greets, and what anyone sends reaches all on both gateways, the sender included, unchanged", async () => {
  const sockets = await Promise.all([1, 1, 2, 2].map((gateway) => openBareSocket(ws(gateway, "/raw/x"))));
  const [sender, other] = [sockets[0]!, sockets[2]!];
  for (const socket of sockets) assert.deepEqual(await socket.waitForFrames(1), [greeting]);
  // A gateway's subscription may still be on its way to NATS.
  await waitFor("the first message to reach all", () => {
    sender.send("?");
    return sockets.every(({ frames }) => frames.includes("?"));
  });
  other.send("from the other gateway");
  await waitFor("it to reach all", () => sockets.every(({ frames }) => frames.includes("from the other gateway")));
  const counts = sockets.map(({ frames }) => frames.length);

  const sent: BareFrame[] = [
    "hi",
    "",
    "ünï 🎉 \u0000 \u202e",
    '{"event":"Register"}',
    Buffer.from([0, 1, 2, 255, 254, 10, 13]),
    Buffer.from("text, but binary"),
    Buffer.alloc(0),
    "x".repeat(60_000),
    Buffer.alloc(60_000, 7),
    "last",
  ];
  for (const frame of sent) sender.send(frame);
  for (const [i, socket] of sockets.entries()) {
    await socket.waitForFrames(counts[i]! + sent.length);
    assert.deepEqual(socket.frames.slice(counts[i]), sent);
  }
  for (const socket of sockets) await socket.close();
});

test("/raw: rooms are apart, whatever their names hold", async () => {
  const names = ["a", "a.b", "a.>", "a.*", ">", "*", "a%2Fb", "a%20b", "%F0%9F%8E%89", "A", "x".repeat(128)];
  const sockets = await Promise.all(names.map((name, i) => openBareSocket(ws(1 + (i % 2), `/raw/${name}`))));
  for (const [i, socket] of sockets.entries()) socket.send(`for ${names[i]}`);
  for (const [i, socket] of sockets.entries()) {
    await socket.waitForFrames(2);
    assert.deepEqual(socket.frames, [greeting, `for ${names[i]}`]);
  }
  for (const socket of sockets) await socket.close();
  for (const bad of ["x".repeat(129), "a%00b", "a%0D%0Ab", "%ff", "%"])
    await assert.rejects(openBareSocket(ws(1, `/raw/${bad}`)), /HTTP 400/, bad);
});

test("a bare WebSocket types its way through: Register, SendMessage, hearing of others, Unregister, 1000", async () => {
  const bare = await openBareSocket(ws(1));
  assert.equal(bare.socket.protocol, "");
  await bare.waitForFrames(1);
  const hello = bare.json()[0]!;
  assert.deepEqual([hello.eventType, hello.event], ["ServerEvent", "Hello"]);
  const { session, node, ...rest } = hello.data as Record<string, unknown>;
  assert.deepEqual(rest, { message: greeting, heartbeatMs: 20_000, idleTimeoutMs: 30_000, protocol: "parley.v1" });
  assert.equal(typeof session, "string");
  assert.equal(typeof node, "string");

  const reply = (event: string) =>
    bare.waitForJson(`the reply to ${event}`, (f) => f.event === event && "success" in f);
  bare.send('{"requestData":{"guest":true},"event":"Register","eventType":"ClientEvent"}');
  const registered = await reply("Register");
  assert.deepEqual(
    [registered.eventType, registered.requestId, registered.success, registered.error],
    ["Reply", null, true, null],
  );
  const { user, activeUsers } = registered.data as { user: Record<string, unknown>; activeUsers: { users: unknown[] } };
  assert.equal(user.guest, true);
  assert.ok(Array.isArray(activeUsers.users));

  bare.send('{"event":"JoinRoom","requestId":2,"requestData":{"room":"tutorial"}}');
  const joined = await reply("JoinRoom");
  assert.deepEqual(
    [joined.requestId, (joined.data as { head: number }).head, (joined.data as { role: string }).role],
    [2, 0, "member"],
  );
  bare.send('{"event":"SendMessage","requestData":{"room":"tutorial","clientMessageId":"1","text":"hi"}}');
  const sent = await reply("SendMessage");
  const { at, ...stored } = sent.data as Record<string, unknown>;
  assert.deepEqual(stored, { room: "tutorial", seq: 1, duplicate: false });
  assert.equal(new Date(at as string).toISOString(), at);

  const other = await connectTestClient(ws(2));
  const ada = await other.registerGuest("Ada");
  await other.request("JoinRoom", { room: "tutorial" });
  const came = await bare.waitForJson("Ada to join", (f) => {
    const joiner = (f.data as { user?: { id: string } } | null)?.user;
    return f.event === "room.joined" && joiner?.id === ada.user.id;
  });
  assert.equal(came.room, "tutorial");
  await other.request("SendMessage", { room: "tutorial", clientMessageId: "a", text: "hello" });
  const heard = await bare.waitForJson("Ada's message", (f) => f.event === "message" && f.seq === 2);
  assert.deepEqual((heard.data as { sender: unknown }).sender, { id: ada.user.id, name: "Ada" });
  assert.equal((heard.data as { text: string }).text, "hello");
  // Its own comes to it as all others do.
  await bare.waitForJson("its own message", (f) => f.event === "message" && f.seq === 1);

  bare.send('{"event":"Unregister"}');
  assert.deepEqual((await reply("Unregister")).data, {});
  assert.equal((await bare.closed).code, 1000);
  await other.close();
});

test("MessagePack: the same objects in binary frames, with JSON clients in the same room", async () => {
  const packed = await openBareSocket(ws(1), ["parley.v1.msgpack"]);
  assert.equal(packed.socket.protocol, "parley.v1.msgpack");
  const frames = () => packed.frames.map((frame) => decode(frame as Buffer) as Record<string, unknown>);
  const reply = (id: number) => waitFor(`reply ${id}`, () => frames().find(({ requestId }) => requestId === id));
  await packed.waitForFrames(1);
  assert.equal(frames()[0]!.event, "Hello");
  const send = (requestId: number, event: string, requestData: unknown) =>
    packed.send(Buffer.from(encode({ event, requestId, requestData })));
  send(1, "Register", { guest: true, name: "Packed 🎉" });
  assert.equal((await reply(1)).success, true);
  send(2, "JoinRoom", { room: "packed" });
  assert.equal((await reply(2)).success, true);
  const plain = await connectTestClient(ws(2));
  await plain.registerGuest("Plain");
  await plain.request("JoinRoom", { room: "packed" });
  const data = { list: [1, 2.5, null, true], text: "ü" };
  send(3, "SendMessage", { room: "packed", clientMessageId: "p", text: "from binary", data });
  assert.equal(((await reply(3)).data as { seq: number }).seq, 1);
  const inJson = await plain.waitForEvent("message");
  assert.deepEqual((inJson.data as { data: unknown }).data, data);
  await plain.request("SendMessage", { room: "packed", clientMessageId: "j", text: "from text", data });
  const inBinary = await waitFor("the entry in binary", () => frames().find(({ seq }) => seq === 2));
  assert.deepEqual((inBinary.data as { data: unknown }).data, data);
  assert.ok(packed.frames.every((frame) => typeof frame !== "string"));
  await plain.close();
  await packed.close();
});

test("subprotocols: unknown ones are refused with 400, a known one among others is chosen, the wrong kind of frame ends in 1003", async () => {
  await assert.rejects(openBareSocket(ws(1), ["graphql-ws"]), /HTTP 400/);
  await assert.rejects(openBareSocket(ws(1), ["parley.v2.json", "x"]), /HTTP 400/);
  const chosen = await openBareSocket(ws(1), ["x", "parley.v1.json"]);
  assert.equal(chosen.socket.protocol, "parley.v1.json");
  chosen.send(Buffer.from('{"event":"Heartbeat"}'));
  assert.equal((await chosen.closed).code, 1003);
  const bare = await openBareSocket(ws(1));
  bare.send(Buffer.from([1]));
  assert.equal((await bare.closed).code, 1003);
  const packed = await openBareSocket(ws(2), ["parley.v1.msgpack"]);
  packed.send('{"event":"Heartbeat"}');
  assert.equal((await packed.closed).code, 1003);
});

test("/ws/ is /ws; other paths take no WebSocket", async () => {
  const client = await connectTestClient(ws(2, "/ws/"));
  await client.registerGuest();
  await client.request("Heartbeat");
  await client.close();
  for (const path of ["/", "/wss", "/ws/x", "/raw"])
    await assert.rejects(openBareSocket(ws(1, path)), /HTTP \d+/, path);
});

test("/healthz and /readyz say that both gateways live and are ready; nothing but GET is served", async () => {
  for (const gateway of [1, 2]) {
    for (const path of ["/healthz", "/readyz"]) {
      const response = await fetch(`${stack.httpUrl(gateway)}${path}`);
      assert.equal(response.status, 200, path);
      await response.text();
    }
    const put = await fetch(`${stack.httpUrl(gateway)}/healthz`, { method: "PUT", body: "x" });
    assert.equal(put.status, 405);
  }
});
