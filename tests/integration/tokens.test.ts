import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeToken } from "@parley/local";
import type { RegisterData, Reply } from "@parley/protocol";
import { SignJWT } from "jose";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";

const stack = await startTestStack({ after });
const ws = (gateway: number) => `${stack.wsUrl(gateway)}/ws`;
const token = async (...args: string[]) => (await makeToken(args, stack.tokenSecret)) as string;

async function registered(gateway: number, ...args: string[]): Promise<TestClient> {
  const client = await connectTestClient(ws(gateway));
  await client.request("Register", { token: await token(...args) });
  return client;
}

const revoke = (whom: string) =>
  fetch(`${stack.internalUrl("chat", 1)}/v1/${whom}/revoke`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.serviceToken}` },
  });

let lastId = 0;
const message = (room: string) => ({ room, clientMessageId: `m${++lastId}`, text: "x" });
const codeOf = ({ success, code }: Reply) => (success ? "ok" : code);

describe("users' tokens", { concurrency: true }, () => {
  test("a token from `npm run token` is its user, by id and name, on every gateway", async () => {
    const client = await connectTestClient(ws(1));
    const signed = await token("--user", "ada", "--name", "Ada L.", "--for", "1h");
    const data = await client.request<RegisterData & { expiresAt: string }>("Register", { token: signed });
    assert.deepEqual(data.user, { id: "ada", name: "Ada L.", guest: false });
    assert.equal(data.token, undefined);
    const lastsMs = Date.parse(data.expiresAt) - Date.now();
    assert.ok(lastsMs > 3_500_000 && lastsMs <= 3_600_000);
    await client.request("JoinRoom", { room: "of users" });
    await client.request("SendMessage", message("of users"));
    const other = await registered(2, "--user", "ada");
    const { rooms } = await other.request<{ rooms: { room: string }[] }>("Rooms");
    assert.deepEqual(
      rooms.map(({ room }) => room),
      ["of users"],
    );
    const history = await other.request<{ entries: { sender: object }[] }>("History", { room: "of users" });
    assert.deepEqual(history.entries[0]?.sender, { id: "ada", name: "Ada L." });
    await Promise.all([client.close(), other.close()]);
  });

  test("[S4] a token's end closes the session with 4005, at its time", async () => {
    const client = await registered(1, "--user", "short", "--for", "2s");
    const startMs = Date.now();
    assert.equal((await client.closed).code, 4005);
    assert.ok(Date.now() - startMs > 500);
    // And nobody comes back with it.
    const again = await connectTestClient(ws(1));
    const reply = await again.send("Register", {
      token: await makeToken(["--user", "short", "--for", "1s"], stack.tokenSecret, Date.now() - 2_000),
    });
    assert.deepEqual([reply.code, reply.error], ["unauthorized", "This token has run out"]);
    assert.equal((await again.closed).code, 4500);
  });

  test("[S4] RefreshToken moves the end; another user's token, or a wrong one, changes nothing", async () => {
    const client = await registered(2, "--user", "long", "--for", "3s");
    assert.equal(codeOf(await client.send("RefreshToken", { token: "x" })), "unauthorized");
    assert.equal(codeOf(await client.send("RefreshToken", { token: await token("--user", "eve") })), "unauthorized");
    const fresh = await token("--user", "long", "--name", "Longer", "--for", "1h");
    const { expiresAt } = await client.request<{ expiresAt: string }>("RefreshToken", { token: fresh });
    assert.ok(Date.parse(expiresAt) > Date.now() + 3_500_000);
    const endsAtMs = Date.now() + 4_000;
    while (Date.now() < endsAtMs) await client.request("Heartbeat").then(() => new Promise((r) => setTimeout(r, 200)));
    await client.request("JoinRoom", { room: "refreshed" });
    await client.request("SendMessage", message("refreshed"));
    const heard = await client.waitForEvent("message");
    assert.deepEqual((heard.data as { sender: object }).sender, { id: "long", name: "Longer" });
    await client.close();
  });

  test("[S4] RefreshToken with fewer rooms puts the session out of the others", async () => {
    const client = await registered(1, "--user", "narrow");
    for (const room of ["narrow-1", "wide"]) await client.request("JoinRoom", { room });
    await client.request("RefreshToken", { token: await token("--user", "narrow", "--rooms", "narrow-*") });
    const left = await client.waitForEvent("room.left", ({ room }) => room === "wide");
    assert.deepEqual(left.data, { user: { id: "narrow" }, removed: true });
    const other = await registered(2, "--user", "other");
    for (const room of ["wide", "narrow-1"]) await other.request("SendMessage", message(room));
    await client.waitForEvent("message", ({ room }) => room === "narrow-1");
    assert.ok(!client.events.some(({ event, room }) => room === "wide" && /^(message|unread)$/.test(event)));
    await Promise.all([client.close(), other.close()]);
  });

  test("[S4] a revoked user is out within 2 s on every node with 4503, and stays out with the old tokens", async () => {
    const old = await token("--user", "mallory");
    const clients = await Promise.all([1, 2, 1, 2].map((gateway) => registered(gateway, "--user", "mallory")));
    const guest = await connectTestClient(ws(2));
    const { user, token: guestToken } = await guest.registerGuest();
    const bystander = await registered(1, "--user", "mallory2");
    for (const [who, sessions] of [
      ["mallory", clients],
      [user.id, [guest]],
    ] as const) {
      const startMs = performance.now();
      assert.equal((await revoke(`users/${encodeURIComponent(who)}`)).status, 204);
      for (const client of sessions) assert.equal((await client.closed).code, 4503);
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs < 2_000, `it took ${tookMs} ms`);
    }
    for (const revoked of [old, guestToken]) {
      const again = await connectTestClient(ws(1));
      const reply = await again.send("Register", { token: revoked });
      assert.deepEqual([reply.code, reply.error], ["unauthorized", "This token was revoked"]);
      assert.equal((await again.closed).code, 4500);
    }
    assert.equal(codeOf(await bystander.send("RefreshToken", { token: old })), "unauthorized");
    await bystander.request("Heartbeat");
    // A token's time has whole seconds: what is issued in a later one holds.
    const back = await waitFor("a new token to hold", async () => {
      const client = await connectTestClient(ws(2));
      const reply = await client.send("Register", { token: await token("--user", "mallory") });
      if (reply.success) return client;
      await client.closed;
      return false;
    });
    await Promise.all([back.close(), bystander.close()]);
  });

  test("[S4] one token is revoked by its jti; the same user's other ones hold", async () => {
    const sign = (jti: string) =>
      new SignJWT({ jti })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("twice")
        .setAudience("parley")
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(new TextEncoder().encode(stack.tokenSecret));
    const [lost, kept] = await Promise.all([connectTestClient(ws(1)), connectTestClient(ws(2))]);
    await lost.request("Register", { token: await sign("lost/phone") });
    await kept.request("Register", { token: await sign("laptop") });
    assert.equal((await revoke(`tokens/${encodeURIComponent("lost/phone")}`)).status, 204);
    assert.equal((await lost.closed).code, 4503);
    await kept.request("Heartbeat");
    await kept.close();
  });

  test("room patterns: inside them as ever, outside them forbidden, whether the room is there or not", async () => {
    const owner = await registered(1, "--user", "owner");
    await owner.request("JoinRoom", { room: "secret" });
    const { seq } = await owner.request<{ seq: number }>("SendMessage", message("secret"));
    const client = await registered(1, "--user", "bob", "--rooms", "board-*,lobby");
    for (const room of ["board-1", "board-", "lobby"]) {
      await client.request("JoinRoom", { room });
      await client.request("SendMessage", message(room));
      await client.request("History", { room });
    }
    const errors = new Set<string | null>();
    for (const room of ["secret", "not there", "lobby2", "Board-1", "xboard-1"]) {
      const refused = [
        await client.send("JoinRoom", { room }),
        await client.send("SendMessage", message(room)),
        await client.send("History", { room }),
        await client.send("MarkRead", { room, seq: 0 }),
        await client.send("EditMessage", { ...message(room), target: seq }),
        await client.send("DeleteMessage", { room, clientMessageId: "d", target: seq }),
        await client.send("React", { room, clientMessageId: "r", target: seq, emoji: "x" }),
      ];
      for (const reply of refused) errors.add(`${reply.code}: ${reply.error}`);
      assert.equal(codeOf(await client.send("Typing", { room, typing: true })), "forbidden");
    }
    assert.equal(errors.size, 1, "one answer for all of them");
    assert.match([...errors][0] as string, /^forbidden/);
    // Nothing of all that made a room, or reached one.
    const { entries } = await owner.request<{ entries: object[] }>("History", { room: "secret" });
    assert.equal(entries.length, 1);
    assert.equal(codeOf(await owner.send("History", { room: "lobby2" })), "forbidden");
    await Promise.all([client.close(), owner.close()]);
  });

  test("rights: reading without sending, sending without reading, and moderating everywhere", async () => {
    const writer = await registered(1, "--user", "writer");
    await writer.request("JoinRoom", { room: "rights" });
    const { seq } = await writer.request<{ seq: number }>("SendMessage", message("rights"));

    const reader = await registered(2, "--user", "reader", "--rights", "join");
    await reader.request("JoinRoom", { room: "rights" });
    await reader.request("History", { room: "rights" });
    assert.equal(codeOf(await reader.send("SendMessage", message("rights"))), "forbidden");
    assert.equal(codeOf(await reader.send("Typing", { room: "rights", typing: true })), "forbidden");
    assert.equal(codeOf(await reader.send("Emit", { room: "rights", event: "wave", data: 1 })), "forbidden");
    assert.equal(writer.events.filter(({ event }) => event === "typing" || event === "wave").length, 0);
    assert.equal(
      codeOf(await reader.send("React", { room: "rights", clientMessageId: "r", target: seq, emoji: "x" })),
      "forbidden",
    );

    const sender = await registered(2, "--user", "sender", "--rights", "send");
    await sender.request("SendMessage", message("rights"));
    assert.equal(codeOf(await sender.send("JoinRoom", { room: "rights" })), "forbidden");
    assert.equal(codeOf(await sender.send("History", { room: "rights" })), "forbidden");
    assert.equal(
      codeOf(await sender.send("DeleteMessage", { room: "rights", clientMessageId: "d", target: seq })),
      "forbidden",
    );

    const moderator = await registered(2, "--user", "mo", "--roles", "moderator");
    const joined = await moderator.request<{ role: string }>("JoinRoom", { room: "rights" });
    assert.equal(joined.role, "moderator");
    await moderator.request("DeleteMessage", { room: "rights", clientMessageId: "d", target: seq });

    const none = await registered(1, "--user", "none", "--rights", "");
    for (const [event, fields] of [
      ["JoinRoom", { room: "rights" }],
      ["SendMessage", message("rights")],
      ["History", { room: "rights" }],
    ] as const)
      assert.equal(codeOf(await none.send(event, fields)), "forbidden");
    await Promise.all([writer, reader, sender, moderator, none].map((client) => client.close()));
  });
});

test("without guests, a guest is answered unauthorized; guests' own rights are the operator's", async (t) => {
  const closed = await startTestStack(t, { gateways: 1, chat: 1, env: { GUESTS: "false" } });
  const client = await connectTestClient(`${closed.wsUrl()}/ws`);
  const reply = await client.send("Register", { guest: true });
  assert.deepEqual([reply.code, reply.error], ["unauthorized", "There are no guests here: send a token"]);
  assert.equal((await client.closed).code, 4500);
  const user = await connectTestClient(`${closed.wsUrl()}/ws`);
  await user.request("Register", { token: await makeToken(["--user", "ada"], closed.tokenSecret) });
  await user.close();

  const reading = await startTestStack(t, { gateways: 1, chat: 1, env: { GUEST_RIGHTS: "join" } });
  const guest = await connectTestClient(`${reading.wsUrl()}/ws`);
  await guest.registerGuest();
  await guest.request("JoinRoom", { room: "r" });
  assert.equal(codeOf(await guest.send("SendMessage", message("r"))), "forbidden");
  await guest.close();
});
