// The official client's own ways of use, against two gateways: connect, acknowledge, rooms, reconnect, polling only.
import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { connect as connectTcp } from "node:net";
import { after, describe, test } from "node:test";
import type { Entry, JoinData, RegisterData, Reply, SendData } from "@parley/protocol";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { startTestStack } from "../support/start-stack.ts";
import type { Teardown } from "../support/teardown.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const friend = "https://app.example.com";
const stack = await startTestStack({ after }, { drainMs: 1_000, timers: 1, env: { ALLOWED_ORIGINS: friend } });
const [one, two] = [stack.httpUrl(1), stack.httpUrl(2)];

interface Heard {
  event: string;
  body: Record<string, unknown>;
}

interface Client {
  socket: Socket;
  /** Every event, oldest first. */
  heard: Heard[];
  of(event: string): Record<string, unknown>[];
  /** Emits with an acknowledgement; rejects when it is a refusal. */
  ask<Data>(event: string, requestData?: unknown): Promise<Data>;
}

/** Connects and waits for the registration; ends with the test. */
async function connected(teardown: Teardown, url: string, options: Partial<ManagerOptions & SocketOptions> = {}) {
  const socket = io(url, { transports: ["websocket"], forceNew: true, ...options });
  teardown.after(() => void socket.disconnect());
  const heard: Heard[] = [];
  socket.onAny((event: string, body: Record<string, unknown>) => heard.push({ event, body }));
  const client: Client = {
    socket,
    heard,
    of: (event) => heard.flatMap((each) => (each.event === event ? [each.body] : [])),
    async ask(event, requestData) {
      const reply = (await socket.timeout(10_000).emitWithAck(event, requestData)) as Reply;
      if (!reply.success) throw new Error(`${event} was refused: ${reply.code} ${reply.error}`);
      return reply.data as never;
    },
  };
  await waitFor("the registration", () => client.of("Register")[0]);
  return client;
}

const ways: [name: string, transports: string[]][] = [
  ["WebSocket only", ["websocket"]],
  ["polling only", ["polling"]],
  ["polling, then upgraded", ["polling", "websocket"]],
];

describe("socket.io-client", { concurrency: true }, () => {
  for (const [name, transports] of ways)
    test(`${name}: connects as a guest, joins, sends with acknowledgements, hears the other node's and native clients`, async (t) => {
      const room = `by ${name}`;
      const ada = await connected(t, one, { transports, auth: { name: "Ada" } });
      const bob = await connected(t, two, { transports });
      const native = await connectTestClient(`${stack.wsUrl(2)}/ws`);
      t.after(() => native.close());
      await native.registerGuest("Cy");
      assert.equal(ada.heard[0]!.event, "Hello");
      const { data } = ada.of("Register")[0] as unknown as Reply<RegisterData>;
      assert.equal(data!.user.name, "Ada");
      assert.equal(typeof data!.token, "string");

      for (const client of [ada, bob]) {
        const joined = await client.ask<JoinData>("JoinRoom", { room });
        assert.deepEqual([joined.room, joined.head, joined.recovered], [room, 0, true]);
      }
      await native.request("JoinRoom", { room });
      for (let i = 1; i <= 30; i++) {
        const message = { room, clientMessageId: `${i}`, text: `${i} 🎉` };
        if (i % 3 === 0) await native.request("SendMessage", message);
        else assert.equal((await (i % 3 === 1 ? ada : bob).ask<SendData>("SendMessage", message)).seq, i);
      }
      for (const client of [ada, bob]) {
        await waitFor("all 30", () => client.of("message").length >= 30);
        const entries = client.of("message");
        assert.deepEqual(
          entries.map(({ seq, room: of, data: entry }) => [seq, of, (entry as Entry).text]),
          entries.map((_, i) => [i + 1, room, `${i + 1} 🎉`]),
        );
        assert.ok(entries.every((entry) => !("eventType" in entry) && !("event" in entry)));
      }
      if (transports.length === 2)
        await waitFor("the upgrade", () => ada.socket.io.engine.transport.name === "websocket");
      else assert.equal(ada.socket.io.engine.transport.name, transports[0]);
      await bob.ask("LeaveRoom", { room });
      await native.request("SendMessage", { room, clientMessageId: "31", text: "31" });
      await waitFor("the 31st", () => ada.of("message").length === 31);
      await bob.ask("Heartbeat");
      assert.equal(bob.of("message").length, 30);
    });

  test("an event without an acknowledgement is answered by an event of its name; typing reaches the others only", async (t) => {
    const [ada, bob] = [await connected(t, one), await connected(t, one)];
    for (const { socket } of [ada, bob]) socket.emit("JoinRoom", { room: "plain" });
    await waitFor("both to be in", () => ada.of("JoinRoom")[0] && bob.of("JoinRoom")[0]);
    const { data, ...rest } = ada.of("JoinRoom")[0]!;
    assert.deepEqual(rest, { success: true, error: null });
    assert.equal((data as JoinData).room, "plain");
    ada.socket.emit("Typing", { room: "plain", typing: true });
    await waitFor("it at Bob's", () => bob.of("typing")[0]);
    await ada.ask("Heartbeat");
    assert.equal(ada.of("typing").length, 0);
  });

  test("a token brings the same guest back; a wrong one is a connect_error that says why, and no more attempts", async (t) => {
    const first = await connected(t, one);
    const { data } = first.of("Register")[0] as unknown as Reply<RegisterData>;
    const again = await connected(t, two, { auth: { token: data!.token } });
    assert.equal((again.of("Register")[0] as unknown as Reply<RegisterData>).data!.user.id, data!.user.id);

    for (const auth of [
      { token: "x" },
      { token: "" },
      { token: 7 },
      { name: 7 },
      { guest: true, name: "x".repeat(500) },
    ]) {
      const wrong = io(one, { forceNew: true, transports: ["websocket"], auth, reconnectionDelay: 10 });
      t.after(() => void wrong.disconnect());
      const errors: (Error & { data?: { code: string } })[] = [];
      wrong.on("connect_error", (error) => errors.push(error));
      await waitFor("the refusal", () => errors.length > 0);
      const code = auth.token === "x" ? "unauthorized" : "bad_request";
      assert.equal(errors[0]!.data?.code, code, JSON.stringify(auth));
      assert.ok(errors[0]!.message.length > 5);
      assert.equal(wrong.active, false, "it does not try again");
    }
  });

  for (const transports of [["websocket"], ["polling"]])
    test(`[R6] ${transports}: a connection that breaks comes back by itself, as the same guest, with what it missed`, async (t) => {
      const room = `back by ${transports}`;
      let token: string | undefined;
      let since = 0;
      const auth = (give: (auth: object) => void) => give(token ? { token, rooms: { [room]: { since } } } : {});
      const client = await connected(t, one, { transports, auth, reconnectionDelay: 50 });
      const registered = () => client.of("Register") as unknown as Reply<RegisterData>[];
      token = registered()[0]!.data!.token!;
      await client.ask("JoinRoom", { room });
      const native = await connectTestClient(`${stack.wsUrl(2)}/ws`);
      t.after(() => native.close());
      await native.registerGuest();
      const send = (i: number) => native.request("SendMessage", { room, clientMessageId: `${i}`, text: `${i}` });
      await send(1);
      await waitFor("the first", () => client.of("message").length === 1);
      since = 1;
      client.socket.io.engine.close();
      await send(2);
      await waitFor("it to be back", () => registered().length === 2);
      const back = registered()[1]!.data!;
      assert.equal(back.user.id, registered()[0]!.data!.user.id);
      await send(3);
      const { recovered, missed } = back.rooms![room] as JoinData;
      const live = await waitFor(
        "the third",
        () => client.of("message").some(({ seq }) => seq === 3) && client.of("message"),
      );
      assert.equal(recovered, true);
      assert.deepEqual([...new Set([1, ...missed.map(({ seq }) => seq), ...live.map(({ seq }) => seq)])], [1, 2, 3]);
    });

  test("[S2] whatever is emitted gets one answer; after 21 that are bad the client is told Closed 4501 and stays away", async (t) => {
    const client = await connected(t, one);
    const deep = Array.from({ length: 30 }).reduce((inner) => [inner], 1 as unknown);
    const bad: [event: string, requestData: unknown, code: string][] = [
      ["Nope", {}, "unknown_event"],
      ["__proto__", {}, "unknown_event"],
      ["SendMessage", undefined, "bad_request"],
      ["SendMessage", null, "bad_request"],
      ["SendMessage", "text", "bad_request"],
      ["SendMessage", { room: "r", clientMessageId: "1", data: deep }, "bad_frame"],
      ["SendMessage", { room: "r", clientMessageId: "1", data: JSON.parse('{"__proto__":1}') }, "bad_frame"],
      ["SendMessage", { room: "r", clientMessageId: "1", data: Buffer.from([1, 2]) }, "bad_frame"],
      ["JoinRoom", { room: "" }, "bad_request"],
      ["Register", { guest: true }, "already_registered"],
    ];
    for (const [event, requestData, code] of bad) {
      const reply = (await client.socket.timeout(10_000).emitWithAck(event, requestData)) as Reply;
      assert.deepEqual([reply.success, reply.data, reply.code], [false, null, code], event);
    }
    let reason = "";
    client.socket.on("disconnect", (why) => (reason = why));
    for (let i = 0; i < 14; i++) client.socket.emit("Nope");
    await waitFor("the end", () => reason);
    assert.equal(reason, "io server disconnect");
    assert.equal((client.of("Closed")[0]?.data as { code: number } | undefined)?.code, 4501);
    assert.equal(client.of("Nope").length, 12);
  });

  test("Unregister is acknowledged, and the server disconnects for good", async (t) => {
    const client = await connected(t, one);
    let reason = "";
    client.socket.on("disconnect", (why) => (reason = why));
    assert.deepEqual(await client.ask("Unregister"), {});
    await waitFor("the end", () => reason);
    assert.equal(reason, "io server disconnect");
  });

  test("[S5] a client that does not read is cut off at 1 MiB, by WebSocket and by polling, and delays no one", async (t) => {
    const room = "slow";
    const fast = await startTestStack(t, { loadTest: true, gateways: 1, chat: 1 });
    const url = fast.httpUrl();
    const readers = await Promise.all([
      connected(t, url),
      connected(t, url),
      connected(t, url, { transports: ["polling"] }),
    ]);
    for (const reader of readers) await reader.ask("JoinRoom", { room });
    const [quick, slow, poller] = readers as [Client, Client, Client];
    for (const { socket } of [slow, poller]) socket.io.reconnection(false);
    // The one stops reading its socket, the other never polls again.
    const { ws } = slow.socket.io.engine.transport as unknown as { ws: { _socket?: { pause(): void } } };
    assert.ok(ws._socket, "socket.io-client uses the ws package here");
    ws._socket.pause();
    (poller.socket.io.engine.transport as unknown as { _poll(): void })._poll = () => {};
    const dropped = async () => {
      const headers = { authorization: `Bearer ${fast.serviceToken}` };
      const answer = await fetch(`${fast.internalUrl("gateway", 1)}/v1/sessions?limit=1`, { headers });
      return ((await answer.json()) as { slowDropped: number }).slowDropped;
    };
    const native = await connectTestClient(`${fast.wsUrl()}/ws`);
    t.after(() => native.close());
    await native.registerGuest();
    const text = "x".repeat(16_000);
    let sent = 0;
    while ((await dropped()) < 2) {
      assert.ok(sent < 1_500, "both were cut off long before");
      for (let i = 0; i < 20; i++) await native.request("SendMessage", { room, clientMessageId: `${++sent}`, text });
    }
    await waitFor("all at the one who reads", () => quick.of("message").length === sent);
  });

  test("CORS and origins: a listed page may poll and open a WebSocket, another gets 403", async () => {
    const poll = (origin: string, init: RequestInit = {}) =>
      fetch(`${one}/socket.io/?EIO=4&transport=polling`, { ...init, headers: { origin } });
    const allowed = await poll(friend);
    assert.deepEqual([allowed.status, allowed.headers.get("access-control-allow-origin")], [200, friend]);
    assert.equal((await poll(friend, { method: "OPTIONS" })).status, 204);
    assert.equal((await poll(one)).status, 200, "its own");
    for (const origin of ["https://evil.example", "null", `${friend}.evil.example`]) {
      const refused = await poll(origin);
      assert.deepEqual([refused.status, refused.headers.get("access-control-allow-origin")], [403, null]);
      const socket = io(one, {
        forceNew: true,
        transports: ["websocket"],
        reconnection: false,
        extraHeaders: { origin },
      });
      await new Promise((resolve) => socket.once("connect_error", resolve));
    }
  });

  test("the client's script is served, as tutorials fetch it", async () => {
    const script = await fetch(`${one}/socket.io/socket.io.js`);
    assert.equal(script.status, 200);
    assert.match(await script.text(), /Socket\.IO v4/);
  });

  test("nothing that is sent to the engine ends the process or other clients", async (t) => {
    const client = await connected(t, one);
    const { pid } = stack.row("gateway", 1);
    const { port } = new URL(one);
    const handshake = async () => {
      const body = await (await fetch(`${one}/socket.io/?EIO=4&transport=polling`)).text();
      return JSON.parse(body.slice(1)) as { sid: string };
    };
    const post = (query: string, body: string | null, method = "POST") =>
      fetch(`${one}/socket.io/?${query}`, { method, body, signal: AbortSignal.timeout(3_000) }).catch(() => null);
    const { sid } = await handshake();
    const q = `EIO=4&transport=polling&sid=${sid}`;
    for (const [query, body, method] of [
      ["", null, "GET"],
      ["EIO=3&transport=polling", null, "GET"],
      ["EIO=4&transport=websocket", null, "GET"],
      ["EIO=4&transport=__proto__", null, "GET"],
      ["EIO=4&transport=polling&sid=nobody", "4", "POST"],
      ["EIO=4&transport=polling&sid=__proto__", "4", "POST"],
      ["EIO=4&transport=polling", "40", "POST"],
      [q, "4", "POST"],
      [q, "9", "POST"],
      [q, "x".repeat(100_000), "POST"],
    ] as const)
      await post(query, body, method);
    for (const body of [
      "40",
      "42",
      '42["a"',
      "45-",
      '451-["a",{"_placeholder":true,"num":9}]',
      "4\u00001",
      "b####",
      "40/x,",
      '40{"a',
      "6",
      "1",
      "3",
    ]) {
      const { sid: own } = await handshake();
      await post(`EIO=4&transport=polling&sid=${own}`, "40");
      await post(`EIO=4&transport=polling&sid=${own}`, body);
      await post(`EIO=4&transport=polling&sid=${own}`, null, "GET");
      const twice = [1, 2].map(() => post(`EIO=4&transport=polling&sid=${own}`, null, "GET"));
      await Promise.all([...twice, post(`EIO=4&transport=polling&sid=${own}`, body)]);
    }
    // Cut off in the midst of a poll, of a body, of an upgrade.
    for (let i = 0; i < 20; i++) {
      const { sid: own } = await handshake();
      const path = `/socket.io/?EIO=4&transport=polling&sid=${own}`;
      const poll = httpRequest({ port, path });
      poll.on("error", () => {});
      poll.end();
      const raw = connectTcp(Number(port), "127.0.0.1");
      raw.on("error", () => {});
      raw.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n40`);
      const upgrade = connectTcp(Number(port), "127.0.0.1");
      upgrade.on("error", () => {});
      upgrade.write(
        `GET ${path.replace("polling", i % 2 ? "websocket" : "polling")} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      await new Promise((resolve) => setTimeout(resolve, i));
      for (const each of [poll, raw, upgrade]) each.destroy();
    }
    await client.ask("Heartbeat");
    assert.equal(stack.row("gateway", 1).pid, pid);
    assert.deepEqual(
      stack.lines().filter((line) => line.includes("Socket.IO's engine failed")),
      [],
    );
  });
});

test("a shared-timer app as tutorials have it, which joins nothing: start, stop and timer, for all on both nodes; and again per room", async (t) => {
  const clients = [
    await connected(t, one),
    await connected(t, two),
    await connected(t, two, { transports: ["polling"] }),
  ];
  const [ada, bob] = clients as [Client, Client, Client];
  interface Timer {
    success: boolean;
    data: string | null;
    error: string | null;
    room: string;
  }
  const ticks = (client: Client, room: string) =>
    (client.of("timer") as unknown as Timer[]).filter((each) => each.room === room && each.success);
  const errors = (client: Client) => (client.of("timer") as unknown as Timer[]).filter(({ success }) => !success);
  ada.socket.emit("start");
  for (const client of clients) {
    await waitFor("two ticks", () => ticks(client, "lobby").length >= 2);
    const { success, error, data } = ticks(client, "lobby")[0]!;
    assert.deepEqual([success, error, data], [true, null, "00:25:00"]);
  }
  bob.socket.emit("start");
  await waitFor("the refusal", () => errors(bob)[0]);
  const { data, error } = errors(bob)[0]!;
  assert.deepEqual([data, error], [null, "Timer already started"]);
  bob.socket.emit("stop");
  const stopped = (client: Client) =>
    (client.of("timer") as unknown as { timer?: { state: string }; room: string }[]).some(
      ({ timer, room }) => room === "lobby" && timer?.state === "stopped",
    );
  for (const client of clients) await waitFor("it to be stopped", () => stopped(client));
  bob.socket.emit("stop");
  await waitFor("the second refusal", () => errors(bob)[1]);
  assert.equal(errors(bob)[1]!.error, "Timer already stopped");
  assert.deepEqual(errors(ada), [], "only the asker hears of it");

  // Per room, without waiting for anything.
  ada.socket.emit("JoinRoom", { room: "team" });
  ada.socket.emit("start", "00:10:00");
  await waitFor("the team's timer", () => ticks(ada, "team").length >= 2);
  assert.equal(ticks(ada, "team")[0]!.data, "00:10:00");
  await bob.ask("JoinRoom", { room: "team" });
  await waitFor("it at Bob's, who came later", () => ticks(bob, "team").length >= 2);
  assert.equal((await bob.socket.timeout(10_000).emitWithAck("stop", {})).success, true);
  const lobbyTicks = ticks(clients[2]!, "lobby").length;
  assert.equal((await clients[2]!.socket.timeout(10_000).emitWithAck("start", { duration: 2 })).success, true);
  await waitFor("the lobby's end", () => ticks(clients[2]!, "lobby").at(-1)?.data === "00:00:00");
  assert.ok(ticks(clients[2]!, "lobby").length > lobbyTicks);
  assert.equal(ticks(clients[2]!, "team").length, 0);
  assert.ok(!ticks(ada, "lobby").some((each) => each.data === "00:00:01"), "who joined a room left the lobby");
});

test("[S6] a draining node tells its Socket.IO clients Drain, and they come back by themselves", async (t) => {
  const soon = { reconnectionDelay: 100, reconnectionDelayMax: 300 };
  const clients = [await connected(t, one, soon), await connected(t, one, { ...soon, transports: ["polling"] })];
  // A third stands between two polls when the drain begins, and comes by a new connection each time.
  const call = async (query: string, body?: string) => {
    const request = body === undefined ? { method: "GET" } : { method: "POST", body };
    const url = `${one}/socket.io/?EIO=4&transport=polling${query}`;
    return (await fetch(url, { ...request, headers: { connection: "close" } })).text();
  };
  const sid = `&sid=${(JSON.parse((await call("")).slice(1)) as { sid: string }).sid}`;
  await call(sid, "40{}");
  for (let heard = ""; !heard.includes('"Register"'); ) heard += await call(sid);
  stack.terminate("gateway", 1);
  await waitFor("Drain", () => clients[0]!.of("Drain")[0]);
  assert.match(await call(sid), /"Drain",\{.*"reconnectAfterMs"/);
  for (const client of clients) {
    await waitFor("Drain", () => client.of("Drain")[0]);
    await waitFor("it to be back", () => client.of("Register").length === 2, { timeoutMs: 20_000 });
    await client.ask("Heartbeat");
  }
  assert.equal((clients[0]!.of("Closed")[0]!.data as { code: number }).code, 4001);
});
