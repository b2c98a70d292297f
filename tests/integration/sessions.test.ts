import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { connect } from "node:net";
import { after, describe, test } from "node:test";
import type { RegisterData, Reply, SendData } from "@parley/protocol";
import { startTestStack, testStore } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";
import { openBareSocket } from "./bare-socket.ts";

const drainMs = 2_000;
/** The default; what may stand in for MongoDB makes and joins some ten rooms a second. */
const [roomsMax, env] = testStore() === "mongodb" ? [40, { ROOMS_PER_SESSION: "40" }] : [500, {}];
const stack = await startTestStack({ after }, { drainMs, env });
const ws = (gateway: number) => `${stack.wsUrl(gateway)}/ws`;

async function registered(gateway: number): Promise<TestClient> {
  const client = await connectTestClient(ws(gateway));
  await client.registerGuest();
  return client;
}

const internal = (path: string, init: RequestInit = {}) =>
  fetch(`${stack.internalUrl("gateway", 1)}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${stack.serviceToken}` },
  });

/** Waits for the end of the connection, which has this long. */
async function endOf(client: TestClient, timeoutMs = 5_000): Promise<number> {
  let code: number | undefined;
  void client.closed.then((end) => {
    code = end.code;
  });
  await waitFor("the end of the connection", () => code !== undefined, { timeoutMs });
  return code as number;
}

/** Replies to frames sent as they are, without the client's own matching of requests. */
function repliesOf(client: TestClient): Reply[] {
  const replies: Reply[] = [];
  client.socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as Reply;
    if (frame.eventType === "Reply") replies.push(frame);
  });
  return replies;
}

const everyEvent: [event: string, requestData: object][] = [
  ["Unregister", {}],
  ["RefreshToken", { token: "x" }],
  ["JoinRoom", { room: "r" }],
  ["LeaveRoom", { room: "r" }],
  ["SendMessage", { room: "r", clientMessageId: "1", text: "x" }],
  ["EditMessage", { room: "r", clientMessageId: "2", target: 1, text: "x" }],
  ["DeleteMessage", { room: "r", clientMessageId: "3", target: 1 }],
  ["React", { room: "r", clientMessageId: "4", target: 1, emoji: "x" }],
  ["History", { room: "r" }],
  ["MarkRead", { room: "r", seq: 0 }],
  ["Rooms", {}],
  ["Typing", { room: "r", typing: true }],
];

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A JSON Web Token as somebody without the key would make it. */
function forgedToken(header: object, payload: object, key?: string): string {
  const signed = `${base64(header)}.${base64(payload)}`;
  return `${signed}.${key === undefined ? "" : createHmac("sha256", key).update(signed).digest("base64url")}`;
}

// Side by side, because some of it takes its time by the protocol's own word.
describe("sessions", { concurrency: true }, () => {
  test("[S1] a connection that has not registered in 10 s is closed with 4502, heartbeats or not", async () => {
    const startMs = Date.now();
    const [silent, beating] = [await connectTestClient(ws(1)), await connectTestClient(ws(2))];
    const beats = setInterval(() => beating.sendRaw('{"event":"Heartbeat"}'), 1_000);
    const codes = await Promise.all([endOf(silent, 13_000), endOf(beating, 13_000)]);
    clearInterval(beats);
    assert.deepEqual(codes, [4502, 4502]);
    assert.ok(Date.now() - startMs > 9_500, "not before its time");
  });

  test("[S1] before Register every event but Heartbeat answers not_registered; a second one already_registered", async () => {
    const client = await connectTestClient(ws(1));
    assert.equal(typeof (await client.request<{ at: string }>("Heartbeat")).at, "string");
    for (const [event, fields] of everyEvent) assert.equal((await client.send(event, fields)).code, "not_registered");
    const { user } = await client.registerGuest("Ada");
    assert.equal(user.name, "Ada");
    assert.equal((await client.send("Register", { guest: true })).code, "already_registered");
    await client.request("JoinRoom", { room: "s1" });
    await client.close();
  });

  test("[S1] what a client sends right behind Register is done after it, in order", async () => {
    const client = await connectTestClient(ws(1));
    const replies = repliesOf(client);
    const sent = await Promise.all([
      client.send("Register", { guest: true }),
      client.send("Register", { guest: true }),
      client.send("JoinRoom", { room: "behind" }),
      ...[1, 2, 3].map((n) => client.send("SendMessage", { room: "behind", clientMessageId: `${n}`, text: `${n}` })),
    ]);
    assert.deepEqual(
      sent.map(({ code, success }) => code ?? success),
      [true, "already_registered", true, true, true, true],
    );
    assert.deepEqual(
      sent.slice(3).map(({ data }) => (data as SendData).seq),
      [1, 2, 3],
    );
    assert.equal(replies.length, sent.length);
    await client.close();
  });

  test("[S1] a guest's token brings the same guest back through the other gateway, with the memberships", async () => {
    const first = await connectTestClient(ws(1));
    const { user, token } = await first.registerGuest("Ada");
    await first.request("JoinRoom", { room: "mine" });
    await first.close();
    const second = await connectTestClient(ws(2));
    const again = await second.request<RegisterData>("Register", { token });
    assert.deepEqual([again.user.id, again.user.name], [user.id, "Ada"]);
    const { rooms } = await second.request<{ rooms: { room: string }[] }>("Rooms");
    assert.deepEqual(
      rooms.map(({ room }) => room),
      ["mine"],
    );
    await second.close();
  });

  test("a forged, changed or missing token is answered unauthorized, then closed with 4500", async () => {
    const genuine = await connectTestClient(ws(1));
    const { user, token } = await genuine.registerGuest();
    const [header, , signature] = token.split(".");
    const claims = { sub: user.id, aud: "parley-guest", name: "Eve", iat: 1 };
    const forged = {
      "no token at all": "x",
      "not signed": forgedToken({ alg: "none" }, claims),
      "signed with another key": forgedToken({ alg: "HS256" }, claims, "a key of somebody else's, long enough"),
      "signed with an empty key": forgedToken({ alg: "HS256" }, claims, ""),
      "another payload": `${header}.${base64(claims)}.${signature}`,
      "a cut signature": token.slice(0, -2),
    };
    for (const [what, wrong] of [...Object.entries(forged), ["nothing", null] as const]) {
      const client = await connectTestClient(ws(2));
      const reply = await client.send("Register", wrong === null ? {} : { token: wrong });
      assert.deepEqual([reply.code, reply.retryable], ["unauthorized", false], what);
      assert.equal(await endOf(client), 4500, what);
    }
    await genuine.request("Heartbeat");
    await genuine.close();
  });

  test("[S2] each of many pipelined events, good and bad, gets exactly one reply", async () => {
    const client = await registered(1);
    const replies = repliesOf(client);
    const ids = Array.from({ length: 80 }, (_, i) => (i % 2 === 0 ? i : `id ${i}`));
    ids.forEach((requestId, i) => {
      // Fewer bad ones than end a connection.
      const [event, requestData] = i % 5 === 0 ? ["Nope", {}] : everyEvent[2 + (i % (everyEvent.length - 2))]!;
      client.sendRaw(JSON.stringify({ event, requestId, requestData }));
    });
    await waitFor("all replies", () => replies.length >= ids.length);
    await client.request("Heartbeat");
    const answered = replies.map(({ requestId }) => requestId);
    assert.deepEqual(new Set(answered.slice(0, ids.length)), new Set(ids));
    // The heartbeat's, and no other.
    assert.equal(replies.length, ids.length + 1);
    await client.close();
  });

  test("[S2] Unregister is answered after all that came before it, and before the close with 1000", async () => {
    const client = await registered(2);
    const replies = repliesOf(client);
    const texts = Array.from({ length: 20 }, (_, i) => `${i}`);
    const sent = texts.map((text) => client.send("SendMessage", { room: "last", clientMessageId: text, text }));
    const ended = client.send("Unregister");
    assert.ok((await Promise.all(sent)).every(({ success }) => success));
    assert.equal((await ended).success, true);
    assert.equal(replies.at(-1)?.event, "Unregister");
    assert.equal(await endOf(client), 1000);
  });

  test("[S2] twenty bad frames in a minute are answered; the 21st too, and then 4501", async () => {
    const client = await registered(2);
    const replies = repliesOf(client);
    const bad = ["nonsense", '{"event":"Nope"}', '{"event":"History","requestData":{}}'];
    for (let i = 0; i < 20; i++) client.sendRaw(bad[i % 3]!);
    await waitFor("twenty replies", () => replies.length === 20);
    await client.request("Heartbeat");
    client.sendRaw("nonsense");
    assert.equal(await endOf(client), 4501);
    assert.equal(replies.length, 22);
    assert.deepEqual(
      replies.slice(0, 3).map(({ code }) => code),
      ["bad_frame", "unknown_event", "bad_request"],
    );
  });

  test("more events than 50 a second answer rate_limited with retryAfterMs, and go on after it", async () => {
    const client = await registered(1);
    const sent = await Promise.all(Array.from({ length: 280 }, () => client.send("Heartbeat")));
    const limited = sent.filter(({ success }) => !success);
    assert.ok(limited.length > 10 && limited.length <= 180, `${limited.length} were limited`);
    for (const { code, retryable, retryAfterMs } of limited) {
      assert.deepEqual([code, retryable], ["rate_limited", true]);
      assert.ok(Number(retryAfterMs) > 0 && Number(retryAfterMs) <= 1_000, `${retryAfterMs}`);
    }
    await waitFor("the limit to end", async () => (await client.send("Heartbeat")).success);
    await client.close();
  });

  test("200 rate-limited events within 10 s end the connection with 4006", async () => {
    const client = await registered(1);
    const replies = repliesOf(client);
    for (let i = 0; i < 600; i++) client.sendRaw('{"event":"Heartbeat"}');
    assert.equal(await endOf(client), 4006);
    assert.equal(replies.filter(({ code }) => code === "rate_limited").length, 200);
  });

  test(`a session is in ${roomsMax} rooms at most, also when it asks for many at once`, async () => {
    const client = await connectTestClient(ws(1));
    const rooms = Object.fromEntries(Array.from({ length: roomsMax - 10 }, (_, i) => [`of many ${i}`, {}]));
    await client.request("Register", { guest: true, rooms });
    const names = Array.from({ length: 60 }, (_, i) => `one more ${i % 30}`);
    const joined = await Promise.all(names.map((room) => client.send("JoinRoom", { room })));
    const refused = joined.filter(({ success }) => !success);
    assert.equal(refused.length, 40);
    assert.ok(refused.every(({ code }) => code === "too_large"));
    await client.close();
  });

  test("[S3] the gateway pings: an idle client that answers stays, one that is silent for 30 s is let go", async () => {
    const register = '{"event":"Register","requestData":{"guest":true}}';
    const idle = await openBareSocket(ws(1));
    const deaf = await openBareSocket(ws(1), [], { autoPong: false });
    let pings = 0;
    idle.socket.on("ping", () => pings++);
    for (const client of [idle, deaf]) client.send(register);
    const startMs = Date.now();
    let code: number | undefined;
    void deaf.closed.then((end) => {
      code = end.code;
    });
    await waitFor("the silent one to be let go", () => code !== undefined, { timeoutMs: 40_000, everyMs: 100 });
    const tookMs = Date.now() - startMs;
    assert.ok(tookMs > 20_000 && tookMs < 39_000, `after ${tookMs} ms`);
    assert.ok(pings > 0);
    idle.send('{"event":"Heartbeat"}');
    await idle.waitForJson("the reply to Heartbeat", ({ event }) => event === "Heartbeat");
    await idle.close();
  });

  test("the internal API lists a gateway's sessions and disconnects one, with 4503", async () => {
    const client = await connectTestClient(ws(1));
    const { user } = await client.registerGuest();
    const hello = client.events[0]!.data as { session: string; node: string };
    const listed = (await (await internal("/v1/sessions?limit=1000")).json()) as {
      node: string;
      list: { session: string; user: string | null }[];
    };
    assert.equal(listed.node, hello.node);
    assert.equal(listed.list.find(({ session }) => session === hello.session)?.user, user.id);
    assert.equal((await internal("/v1/sessions")).status, 200);
    const disconnect = (session: string) => internal(`/v1/sessions/${session}/disconnect`, { method: "POST" });
    assert.equal((await disconnect(hello.session)).status, 204);
    assert.equal(await endOf(client), 4503);
    assert.equal((await disconnect(hello.session)).status, 404);
    assert.equal((await fetch(`${stack.internalUrl("gateway", 1)}/v1/sessions`)).status, 401);
  });
});

test("new connections beyond 50 a second from one address are refused with 503, and welcome a moment later", async () => {
  const tried = await Promise.allSettled(Array.from({ length: 250 }, () => openBareSocket(ws(2))));
  const opened = tried.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const refused = tried.flatMap((each) => (each.status === "rejected" ? [String(each.reason)] : []));
  assert.ok(opened.length >= 50, `${opened.length} got in`);
  assert.ok(refused.length > 10, `${refused.length} were refused`);
  assert.ok(
    refused.every((reason) => reason.includes("HTTP 503")),
    refused[0],
  );
  await Promise.all(opened.map((socket) => socket.close()));
  const again = await waitFor("one to get in", () => openBareSocket(ws(2)));
  await again.close();
});

test("whose handshake is refused with 503 is not kept: the connection ends at once", async () => {
  const port = Number(new URL(ws(2)).port);
  const head = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  const handshake = `${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  const tried = Array.from({ length: 250 }, () => {
    const seen = { answer: "", endedByServer: false };
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.write(handshake));
    socket.on("data", (chunk) => (seen.answer += chunk.toString("latin1")));
    socket.on("end", () => (seen.endedByServer = true));
    socket.on("error", () => {});
    return { socket, seen };
  });
  await waitFor("all to be answered", () => tried.every(({ seen }) => seen.answer.includes("\r\n\r\n")));
  const refused = tried.filter(({ seen }) => seen.answer.startsWith("HTTP/1.1 503"));
  assert.ok(refused.length > 10, `${refused.length} were refused`);
  await waitFor("their ends", () => refused.every(({ seen }) => seen.endedByServer), { timeoutMs: 5_000 });
  for (const { socket } of tried) socket.destroy();
});

test("[S6] SIGTERM: each client gets Drain with a delay of its own, its answers, then 4001; readiness is off", async () => {
  const clients = await Promise.all(Array.from({ length: 12 }, () => registered(1)));
  for (const client of clients) await client.request("JoinRoom", { room: "drained" });
  const before = stack.restarts("gateway", 1);
  const ends = clients.map((client) => client.closed.then(({ code }) => ({ code, atMs: Date.now() })));
  // Workers held still for a moment, so that there are answers in flight while connections end.
  for (const worker of [1, 2]) stack.pause("chat", worker);
  const sending = clients.flatMap((client, i) =>
    [1, 2, 3].map((n) =>
      client.request<SendData>("SendMessage", { room: "drained", clientMessageId: `${i}-${n}`, text: "x" }),
    ),
  );
  const allSent = Promise.all(sending);
  allSent.catch(() => {});
  // Answered by the gateway alone: all that came before it is there.
  for (const client of clients) await client.request("Heartbeat");
  const startMs = Date.now();
  stack.terminate("gateway", 1);
  const drains = await Promise.all(clients.map((client) => client.waitForEvent("Drain")));
  const readiness = await fetch(`${stack.internalUrl("gateway", 1)}/readyz`);
  assert.equal(readiness.status, 503);
  await assert.rejects(openBareSocket(ws(1)));
  await waitFor("some delays to have passed", () => Date.now() - startMs > drainMs / 3);
  for (const worker of [1, 2]) stack.resume("chat", worker);

  const delays = drains.map(({ data }) => (data as { reconnectAfterMs: number }).reconnectAfterMs);
  assert.ok(new Set(delays).size >= 10, `delays of their own: ${delays}`);
  assert.ok(Math.min(...delays) >= 0 && Math.max(...delays) <= drainMs, `within the drain time: ${delays}`);
  assert.ok(Math.max(...delays) - Math.min(...delays) > drainMs / 2, `spread over it: ${delays}`);
  const seqs = (await allSent).map(({ seq }) => seq);
  assert.equal(new Set(seqs).size, 36);
  for (const [i, end] of (await Promise.all(ends)).entries()) {
    assert.equal(end.code, 4001);
    const afterMs = end.atMs - startMs;
    assert.ok(afterMs > delays[i]! - 50, `closed after ${afterMs} ms, though told ${delays[i]} ms`);
  }
  await waitFor("the gateway to be back", () => stack.restarts("gateway", 1) > before);
  const back = await waitFor("a client to come back", () => registered(1), { everyMs: 100 });
  const { head } = await back.request<{ head: number }>("JoinRoom", { room: "drained" });
  assert.equal(head, 36);
  await back.close();
});
