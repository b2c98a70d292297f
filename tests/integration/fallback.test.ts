import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { connect as connectTcp } from "node:net";
import { after, describe, test } from "node:test";
import type { RegisterData, Reply, SendData } from "@parley/protocol";
import { beginFallback, type FallbackClient } from "../support/fallback-client.ts";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const friend = "https://app.example.com";
const stack = await startTestStack({ after }, { drainMs: 1_000, env: { ALLOWED_ORIGINS: friend } });
const [one, two] = [stack.httpUrl(1), stack.httpUrl(2)];

/** Polls in turn at both nodes until `stop`, as a client does that knows of no node. */
function pollInTurn(client: FallbackClient): { stop(): void; ended: Promise<void> } {
  let over = false;
  const run = async () => {
    for (let i = 0; !over; i++) await client.poll(i % 2 === 0 ? one : two);
  };
  const ended = run().catch((error) => {
    if (!over) throw error;
  });
  return { ended, stop: () => (over = true) };
}

async function registered(base: string): Promise<FallbackClient> {
  const client = await beginFallback(base);
  await client.send(base, { event: "Register", requestId: "r0", requestData: { guest: true } });
  await waitFor("the registration", async () => {
    await client.poll(base);
    return client.frames.find(({ frame }) => frame.eventType === "Reply");
  });
  return client;
}

const named = (client: FallbackClient, event: string) => client.frames.filter(({ frame }) => frame.event === event);
const closedWith = (client: FallbackClient) =>
  (named(client, "Closed")[0]?.frame as { data: { code: number } } | undefined)?.data.code;
/** Reads until the session's last word. */
async function codeOfEnd(client: FallbackClient, base: string): Promise<number> {
  while (closedWith(client) === undefined) await client.poll(base);
  return closedWith(client) as number;
}

// Side by side, because some of it takes its time by the protocol's own word.
describe("fallback", { concurrency: true }, () => {
  test("[S7] by long poll alone, each call on the other node: Hello first, every reply in order, messages as by WebSocket", async () => {
    const client = await beginFallback(one);
    const polling = pollInTurn(client);
    const { user } = (await client.request(two, "Register", { guest: true, name: "Ada" })).data as RegisterData;
    assert.equal((await client.request(two, "JoinRoom", { room: "polled" })).success, true);
    const other = await connectTestClient(`${stack.wsUrl(2)}/ws`);
    await other.registerGuest();
    await other.request("JoinRoom", { room: "polled" });
    await other.request("Typing", { room: "polled", typing: true });
    for (let i = 1; i <= 20; i++) {
      const reply = await client.request(i % 2 ? one : two, "SendMessage", {
        ...{ room: "polled", clientMessageId: `${i}`, text: `${i}` },
      });
      assert.equal((reply.data as SendData).seq, i);
    }
    const again = await client.request(one, "SendMessage", { room: "polled", clientMessageId: "20", text: "20" });
    assert.deepEqual([(again.data as SendData).seq, (again.data as SendData).duplicate], [20, true]);
    await waitFor("all messages", () => named(client, "message").length === 20);
    await waitFor("them at the other", () => other.events.filter(({ event }) => event === "message").length === 20);
    polling.stop();
    await client.request(two, "Heartbeat");
    await polling.ended;

    assert.deepEqual(
      client.frames.map(({ id }) => id),
      client.frames.map((_, i) => i + 1),
    );
    const hello = client.frames[0]!.frame as { event: string; data: { session: string } };
    assert.deepEqual([hello.event, hello.data.session], ["Hello", client.session]);
    const messages = named(client, "message").map(({ frame }) => frame as { seq?: number; data: { sender: unknown } });
    assert.deepEqual(
      messages.map(({ seq }) => seq),
      messages.map((_, i) => i + 1),
    );
    assert.deepEqual(messages[0]!.data.sender, { id: user.id, name: "Ada" });
    assert.equal(named(client, "typing").length, 1, "another's typing");
    await other.close();
  });

  test("[S7] a stream that breaks off goes on at the other node: Last-Event-ID loses nothing and repeats nothing", async () => {
    const client = await registered(one);
    let stream = await client.stream(two);
    await client.request(one, "JoinRoom", { room: "streamed" });
    const writer = await connectTestClient(`${stack.wsUrl(2)}/ws`);
    await writer.registerGuest();
    for (let i = 1; i <= 60; i++) {
      await writer.request("SendMessage", { room: "streamed", clientMessageId: `${i}`, text: "x" });
      if (i % 10 === 0) {
        await stream.stop();
        stream = await client.stream(i % 20 === 0 ? one : two);
      }
    }
    await waitFor("all of them", () => named(client, "message").length >= 60);
    await stream.stop();
    assert.deepEqual(
      named(client, "message").map(({ frame }) => (frame as { seq?: number }).seq),
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
    assert.deepEqual(
      client.frames.map(({ id }) => id),
      client.frames.map((_, i) => i + 1),
    );
    await writer.close();
  });

  test("[S7] a new poll or stream ends the one before, on whichever node", async () => {
    const client = await registered(one);
    let first: unknown[] | null = null;
    void client.poll(two).then(({ frames }) => (first = frames));
    // It may take a moment to get there, by way of the other node.
    await waitFor("the first to end", async () => {
      assert.equal((await client.call(one, "/poll?after=0")).status, 200);
      return first;
    });
    assert.deepEqual(first, []);
    const streams = [await client.stream(one), await client.stream(two)];
    await streams[0]!.ended;
    const polled = client.poll(one);
    await streams[1]!.ended;
    await client.send(two, { event: "Heartbeat" });
    assert.equal((await polled).frames.length, 1);
  });

  test("[S7] a wrong key and a session that is not there answer alike: 401, at either node, for every call", async () => {
    const client = await registered(one);
    const node = client.session.slice(0, client.session.lastIndexOf("."));
    const wrong = { authorization: `Bearer ${client.key.slice(0, -1)}x` };
    const strangers: [session: string, headers: Record<string, string>][] = [
      [client.session, wrong],
      [client.session, {}],
      [client.session, { authorization: client.key }],
      [client.session, { authorization: `Bearer ${client.key}${client.key}` }],
      [`${node}.nobody`, wrong],
      ["g9-00000000.nobody", wrong],
      ["nobody", wrong],
      ["%3E.x", wrong],
      ["*.x", wrong],
    ];
    const bodies = new Set<string>();
    for (const base of [one, two])
      for (const [session, headers] of strangers)
        for (const [method, path] of [
          ["GET", "/poll?after=0"],
          ["GET", "/stream"],
          ["POST", "/send"],
          ["DELETE", ""],
        ] as const) {
          const body = method === "POST" ? '{"event":"Heartbeat"}' : null;
          const answer = await fetch(`${base}/fallback/${session}${path}`, { method, headers, body });
          assert.equal(answer.status, 401, `${method} ${session}${path}`);
          bodies.add(await answer.text());
        }
    assert.equal(bodies.size, 1);
    assert.equal((await client.call(two, "/poll?after=0")).status, 200, "its own client goes on");
  });

  test("[S7] [R6] what is no longer buffered is told as resume_required, and joining with since brings the rest", async () => {
    for (const way of ["poll", "stream"] as const) {
      const room = `gap by ${way}`;
      const client = await registered(one);
      await client.send(two, { event: "JoinRoom", requestId: "j", requestData: { room, since: 0 } });
      await client.poll(two);
      const before = client.frames.at(-1)!.id;
      const writer = await connectTestClient(`${stack.wsUrl(2)}/ws`);
      await writer.registerGuest();
      const count = 300;
      const id = (i: number) => ({ room, clientMessageId: `${i}`, text: "x" });
      for (let i = 0; i < count; i += 50) {
        const some = Array.from({ length: 50 }, (_, n) => writer.send("SendMessage", id(i + n)));
        for (const reply of await Promise.all(some)) assert.equal(reply.success, true, reply.error ?? "");
        await waitFor("the next second", async () => (await writer.send("Heartbeat")).success);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
      if (way === "poll") {
        const body = await waitFor("the gap", async () => {
          const polled = await client.poll(two);
          return polled.code === "resume_required" && polled;
        });
        assert.ok(body.frames[0]!.id > before + 1);
      } else {
        const stream = await client.stream(two);
        const told = await waitFor("the gap", () => named(client, "resume_required")[0]);
        assert.ok(told.id > before);
        await waitFor("the last", () =>
          named(client, "message").some(({ frame }) => "seq" in frame && frame.seq === count),
        );
        await stream.stop();
      }
      assert.ok(named(client, "message").length <= 256);
      const stream = await client.stream(one);
      const joined = await client.request(one, "JoinRoom", { room, since: 0 });
      const { recovered, missed, truncated, head } = joined.data as Record<string, unknown> & { missed: unknown[] };
      assert.deepEqual([recovered, missed.length, truncated, head], [true, 200, true, count]);
      await stream.stop();
      await writer.close();
    }
  });

  test("[S2] [S7] every frame gets one reply, bad ones too; the 21st bad one in a minute closes with 4501", async () => {
    const client = await registered(two);
    const stream = await client.stream(one);
    const batch = Array.from({ length: 32 }, (_, requestId) => ({ event: "Heartbeat", requestId }));
    assert.equal((await client.send(one, batch)).status, 202);
    await waitFor("32 replies", () => named(client, "Heartbeat").length === 32);
    assert.deepEqual(
      named(client, "Heartbeat").map(({ frame }) => (frame as { requestId: unknown }).requestId),
      batch.map(({ requestId }) => requestId),
    );
    const bad = ["nonsense", '{"event":"Nope"}', '{"event":"History"}', '[["x"],7,{"event":"Nope"}]'];
    for (const body of bad) {
      const answer = await client.call(one, "/send", { method: "POST", body });
      assert.deepEqual([answer.status, await answer.json()], [202, {}], body);
    }
    const codes = () => client.frames.flatMap(({ frame }) => ("code" in frame && frame.code ? [frame.code] : []));
    await waitFor("six refusals", () => codes().length === 6);
    assert.deepEqual(codes(), ["bad_frame", "unknown_event", "bad_request", "bad_frame", "bad_frame", "unknown_event"]);
    for (const [body, status] of [
      ["[]", 400],
      [JSON.stringify(Array.from({ length: 33 }, () => ({ event: "Heartbeat" }))), 400],
      ["[", 400],
      [`{"event":"${"x".repeat(70_000)}"}`, 400],
      [JSON.stringify([{ event: "Heartbeat", pad: "x".repeat(70_000) }]), 400],
      ["x".repeat(600_000), 413],
    ] as const) {
      const answer = await client.call(one, "/send", { method: "POST", body });
      const { error, code } = (await answer.json()) as { error: string; code: string };
      assert.deepEqual([answer.status, code], [status, status === 400 ? "bad_request" : "too_large"], error);
    }
    assert.equal((await client.call(two, "/poll?after=x")).status, 400);
    assert.equal((await client.call(two, "/poll?after=100000")).status, 400);
    await client.send(
      two,
      Array.from({ length: 15 }, () => 7),
    );
    await stream.ended;
    const again = await client.stream(two).catch(String);
    if (typeof again !== "string") await again.ended;
    assert.equal(closedWith(client), 4501);
    assert.equal((await client.send(two, { event: "Heartbeat" })).status, 401);
  });

  test("[S1] [S7] who has not registered in 10 s is closed with 4502, told in the session's last frame", async () => {
    const client = await beginFallback(one);
    await client.poll(two);
    assert.equal(await codeOfEnd(client, two), 4502);
    assert.equal((await client.call(two, "/poll?after=0")).status, 401);
  });

  test("[S7] Unregister is answered, then Closed with 1000; DELETE ends a session at once", async () => {
    const client = await registered(one);
    const stream = await client.stream(two);
    await client.send(two, { event: "Unregister", requestId: "u" });
    await stream.ended;
    assert.deepEqual(
      client.frames.slice(-2).map(({ frame }) => frame.event),
      ["Unregister", "Closed"],
    );
    assert.equal(closedWith(client), 1000);

    const deleted = await registered(two);
    const poll = deleted.poll(one);
    assert.equal((await deleted.call(one, "", { method: "DELETE" })).status, 204);
    assert.deepEqual((await poll).frames, []);
    assert.equal((await deleted.call(two, "/poll?after=0")).status, 401);
  });

  test("[S7] a session outlives its request by 30 s, and not by much more", async () => {
    const [kept, left] = [await registered(one), await registered(two)];
    const startMs = Date.now();
    const isListed = async () => {
      const headers = { authorization: `Bearer ${stack.serviceToken}` };
      const answer = await fetch(`${stack.internalUrl("gateway", 2)}/v1/sessions?limit=1000`, { headers });
      const { list } = (await answer.json()) as { list: { session: string }[] };
      return list.some(({ session }) => session === left.session);
    };
    await waitFor("25 s to pass", () => Date.now() - startMs > 25_000, { timeoutMs: 30_000, everyMs: 100 });
    assert.equal((await kept.call(two, "/poll?after=0")).status, 200);
    assert.equal(await isListed(), true);
    await waitFor("the other to be forgotten", async () => !(await isListed()), { timeoutMs: 15_000, everyMs: 100 });
    assert.ok(Date.now() - startMs > 29_000);
    assert.equal((await left.call(one, "/poll?after=0")).status, 401);
    assert.equal((await kept.call(one, "/poll?after=0")).status, 200);
  });

  test("[S7] a poll with nothing to tell answers empty within 25 s", async () => {
    const client = await registered(one);
    const startMs = Date.now();
    const after = client.frames.at(-1)!.id;
    assert.deepEqual(await client.poll(two), { frames: [], next: after });
    const tookMs = Date.now() - startMs;
    assert.ok(tookMs > 20_000 && tookMs <= 25_500, `${tookMs} ms`);
  });

  test("[S5] [S7] a stream that nobody reads holds up nobody, and fills no memory", async () => {
    const room = "unread stream";
    const client = await registered(one);
    await client.send(one, { event: "JoinRoom", requestData: { room } });
    const { port } = new URL(two);
    // Paused from its start: what comes stays in the kernel's buffers, then at the gateway.
    const path = `/fallback/${client.session}/stream`;
    const unread = httpRequest({ port, path, headers: { authorization: `Bearer ${client.key}` } }, (response) => {
      response.on("error", () => {});
      response.pause();
    });
    unread.on("error", () => {});
    unread.end();
    const writer = await connectTestClient(`${stack.wsUrl(1)}/ws`);
    await writer.registerGuest();
    await writer.request("JoinRoom", { room });
    const text = "x".repeat(16_000);
    for (let i = 0; i < 400; i++) {
      const reply = await waitFor("a send to be let through", async () => {
        const sent = await writer.send("SendMessage", { room, clientMessageId: `${i}`, text });
        return sent.success && sent;
      });
      assert.equal((reply.data as SendData).seq, i + 1);
    }
    await waitFor(
      "the writer to hear all",
      () => writer.events.filter(({ event }) => event === "message").length === 400,
    );
    unread.destroy();
    const { code, frames } = await client.poll(two);
    assert.equal(code, "resume_required");
    assert.ok(frames.length > 0 && frames.length <= 256);
    await writer.close();
  });

  test("calls that are cut off at any moment end neither a gateway nor anybody else's session", async () => {
    const pids = [1, 2].map((gateway) => stack.row("gateway", gateway).pid);
    const [victim, other] = [await registered(one), await registered(two)];
    for (let i = 0; i < 90; i++) {
      const { port } = new URL(i % 2 ? one : two);
      const socket = connectTcp(Number(port), "127.0.0.1");
      socket.on("error", () => {});
      const head = `HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${victim.key}\r\n`;
      const path = `/fallback/${victim.session}`;
      const call = [
        `GET ${path}/poll?after=${victim.frames.length} ${head}\r\n`,
        `GET ${path}/stream ${head}\r\n`,
        `POST ${path}/send ${head}Content-Length: 40\r\n\r\n{"event":`,
        `POST ${path}/send ${head}Content-Length: 21\r\n\r\n{"event":"Heartbeat"}`,
        `GET ${path}/poll?after=0 ${head}\r\nGET ${path}/stream ${head}\r\n`,
        `GET ${path}/stream ${head}Last-Event-ID: 1\r\n\r\nDELETE /fallback/x.y ${head}\r\n`,
      ][i % 6]!;
      socket.write(call);
      const moment = i % 7;
      if (moment > 0) await new Promise((resolve) => setTimeout(resolve, moment));
      if (i % 5 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
    for (const client of [victim, other]) {
      const stream = await client.stream(one);
      assert.equal((await client.request(two, "Heartbeat")).success, true);
      await stream.stop();
    }
    assert.deepEqual(
      [1, 2].map((gateway) => stack.row("gateway", gateway).pid),
      pids,
    );
  });

  test("CORS: pages of a listed origin and of the gateway's own may call, others get 403", async () => {
    const preflight = (origin: string, path = "/fallback") =>
      fetch(`${one}${path}`, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    for (const path of ["/fallback", "/fallback/x.y/send"]) {
      const allowed = await preflight(friend, path);
      assert.equal(allowed.status, 204);
      assert.equal(allowed.headers.get("access-control-allow-origin"), friend);
      assert.match(allowed.headers.get("access-control-allow-headers") ?? "", /Authorization.*Last-Event-ID/);
      assert.match(allowed.headers.get("access-control-allow-methods") ?? "", /DELETE/);
    }
    const begin = (origin: string) => fetch(`${one}/fallback`, { method: "POST", headers: { origin } });
    const begun = await begin(friend);
    assert.deepEqual([begun.status, begun.headers.get("access-control-allow-origin")], [201, friend]);
    assert.equal((await begin(one)).status, 201, "its own");
    const foreign = [
      "https://evil.example",
      `${friend}.evil.example`,
      "http://app.example.com",
      "null",
      `${friend}:8443`,
    ];
    for (const origin of foreign) {
      for (const answer of [await preflight(origin), await begin(origin)]) {
        assert.deepEqual([answer.status, answer.headers.get("access-control-allow-origin")], [403, null], origin);
      }
    }
  });
});

test("[S6] [S7] a draining node tells its fallback sessions Drain, then Closed with 4001, also those read through another", async () => {
  const clients = await Promise.all([1, 2, 3, 4].map(() => registered(one)));
  const ends = clients.map((client, i) => codeOfEnd(client, i % 2 ? one : two).catch(String));
  const before = stack.restarts("gateway", 1);
  stack.terminate("gateway", 1);
  for (const [i, end] of (await Promise.all(ends)).entries()) {
    assert.equal(end, 4001);
    assert.equal(named(clients[i]!, "Drain").length, 1);
  }
  await waitFor("the gateway to be back", () => stack.restarts("gateway", 1) > before);
});

test("[S7] [R5] [R6] the node that holds a session is killed: calls at the other answer 401 soon, and a new session has all it missed", async () => {
  await waitFor("gateway 1", async () => (await fetch(`${one}/readyz`)).ok);
  const client = await registered(one);
  const stream = await client.stream(two);
  const joined = await client.request(two, "JoinRoom", { room: "killed" });
  const { epoch } = joined.data as { epoch: string };
  await client.request(two, "SendMessage", { room: "killed", clientMessageId: "1", text: "x" });
  const registration = client.frames.find(({ frame }) => frame.event === "Register")!.frame as Reply<RegisterData>;
  const token = registration.data!.token;
  await client.send(two, {
    event: "SendMessage",
    requestData: { room: "killed", clientMessageId: "2", text: "x" },
  });
  stack.kill9("gateway", 1);
  const startMs = Date.now();
  await stream.ended;
  assert.ok(Date.now() - startMs < 8_000, "the stream through the other node ends soon");
  assert.equal((await client.call(two, "/poll?after=0")).status, 401);

  const again = await beginFallback(two);
  const reading = await again.stream(two);
  const back = await again.request(two, "Register", { token, rooms: { killed: { since: 1, epoch } } });
  const { rooms } = back.data as { rooms: Record<string, { recovered: boolean; missed: unknown[]; head: number }> };
  assert.equal(rooms.killed!.recovered, true);
  assert.equal(rooms.killed!.missed.length, rooms.killed!.head - 1);
  await reading.stop();
});
