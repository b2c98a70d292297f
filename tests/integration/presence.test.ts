/** Presence and emit on a real stack: two gateways, two presence workers, Redis. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { connectBus, emit, emitUser } from "@parley/bus";
import { makeToken } from "@parley/local";
import { type ActiveUsersData, type PresentUser, Refusal } from "@parley/protocol";
import { connectPresenceClient, type PresenceClientOptions, whenPresent } from "../support/presence-client.ts";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const stack = await startTestStack({ after }, { presence: 2, chat: 1 });
await whenPresent(stack, 2);
const connect = (name: string, options: PresenceClientOptions = {}) => connectPresenceClient(stack, name, options);
const tokenOf = async (...args: string[]) => (await makeToken(args, stack.tokenSecret)) as string;
const api = async (method: string, path: string, body?: unknown) => {
  const response = await fetch(`${stack.internalUrl("presence", 1)}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${stack.serviceToken}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

describe("presence", () => {
  test("[P3] Register answers with who is here and tells all others, on every node", async () => {
    const ada = await connect("Ada");
    const bob = await connect("Bob", { gateway: 2 });
    const here = bob.activeUsers.users.map(({ id }) => id);
    assert.ok(here.includes(ada.user.id) && here.includes(bob.user.id));
    const online = await waitFor("Bob online", () => ada.told("online", bob.user.id)[0]);
    assert.deepEqual(
      { name: online.name, guest: online.guest, status: online.status, devices: online.devices },
      { name: "Bob", guest: true, status: "online", devices: 1 },
    );
    await bob.request("SetStatus", { status: "busy", text: "in a call" });
    const busy = await waitFor("Bob busy", () => ada.told("update", bob.user.id)[0]);
    assert.deepEqual([busy.status, busy.statusText], ["busy", "in a call"]);
    const second = await connect("Bob", { token: bob.token });
    assert.equal(second.activeUsers.users.find(({ id }) => id === bob.user.id)?.devices, 2);
    await bob.request("Unregister");
    await second.request("Unregister");
    const offline = await waitFor("Bob offline", () => ada.told("offline", bob.user.id)[0], { timeoutMs: 4_000 });
    assert.equal(offline.status, "offline");
    assert.ok(Date.now() - Date.parse(offline.lastSeenAt as string) < 60_000);
    assert.equal(ada.told("online", bob.user.id).length, 1);
    await ada.request("Unregister");
  });

  test("[P1] several devices count once, a reload is not told, and who is gone for good is told once", async () => {
    const watcher = await connect("Watcher", { gateway: 2 });
    const phone = await connect("Eve");
    const laptop = await connect("Eve", { token: phone.token, gateway: 2 });
    await waitFor("Eve online", () => watcher.told("online", phone.user.id)[0]);
    await phone.close();
    const reloaded = await connect("Eve", { token: phone.token });
    await Promise.all([reloaded.close(), laptop.close()]);
    // A reload with no other device: within the grace.
    const back = await connect("Eve", { token: phone.token });
    const { users } = await watcher.request<ActiveUsersData>("ActiveUsers", { limit: 200 });
    assert.equal(users.find(({ id }) => id === phone.user.id)?.devices, 1);
    const endedAtMs = Date.now();
    await back.close();
    await waitFor("Eve offline", () => watcher.told("offline", phone.user.id)[0], { timeoutMs: 15_000 });
    assert.ok(Date.now() - endedAtMs >= 4_500, "not before the grace is over");
    assert.equal(watcher.told("online", phone.user.id).length, 1);
    assert.equal(watcher.told("offline", phone.user.id).length, 1);
    assert.equal(watcher.told("update", phone.user.id).length, 0);
    const { body } = await api("GET", `/v1/users/${phone.user.id}`);
    assert.ok(Math.abs(Date.parse(body.lastSeenAt as string) - endedAtMs) < 5_000, "last seen is kept in the store");
    await watcher.request("Unregister");
  });

  test("ActiveUsers pages through everyone once, and through a room's listeners", async () => {
    const guests = await Promise.all(Array.from({ length: 23 }, (_, i) => connect(`P${i}`, { gateway: 1 + (i % 2) })));
    const inRoom = guests.slice(0, 9);
    await Promise.all(inRoom.map((guest) => guest.request("JoinRoom", { room: "who is here" })));
    const asker = guests[0] as (typeof guests)[number];
    const pages = async (fields: object) => {
      const ids: string[] = [];
      let next: string | null = null;
      let total = 0;
      do {
        const page: ActiveUsersData = await asker.request<ActiveUsersData>("ActiveUsers", {
          ...fields,
          next,
          limit: 7,
        });
        assert.ok(page.users.length <= 7);
        ids.push(...page.users.map(({ id }) => id));
        ({ next, total } = page);
      } while (next !== null);
      assert.equal(new Set(ids).size, ids.length);
      return { ids, total };
    };
    const everyone = await pages({});
    for (const { user } of guests) assert.ok(everyone.ids.includes(user.id));
    assert.equal(everyone.total, everyone.ids.length);
    await waitFor("all nine in the room", async () => (await pages({ room: "who is here" })).total === 9);
    const room = await pages({ room: "who is here" });
    assert.deepEqual(new Set(room.ids), new Set(inRoom.map(({ user }) => user.id)));
    await asker.request("LeaveRoom", { room: "who is here" });
    assert.equal((await asker.send("ActiveUsers", { room: "who is here" })).code, "forbidden");
    assert.equal((await asker.send("ActiveUsers", { next: "99.abc" })).code, "bad_request");
    const viaApi = await api("GET", "/v1/active-users?room=who%20is%20here&limit=200");
    assert.equal((viaApi.body.users as unknown[]).length, 8);
    await Promise.all(guests.map((guest) => guest.request("Unregister")));
  });

  test('presence "rooms" hears of those in the same room, "none" of nobody', async () => {
    const room = "of two";
    const [insider, outsider, deaf] = await Promise.all([
      connect("In", { presence: "rooms" }),
      connect("Out", { presence: "rooms" }),
      connect("Deaf", { presence: "none" }),
    ]);
    await Promise.all([insider, deaf].map((client) => client.request("JoinRoom", { room })));
    const other = await connect("Other", { gateway: 2 });
    await other.request("JoinRoom", { room });
    await waitFor("who entered the room", () => insider.told("online", other.user.id)[0]);
    await other.request("SetStatus", { status: "away" });
    await waitFor("the status", () => insider.told("update", other.user.id)[0]);
    await other.request("Unregister");
    await waitFor("the end", () => insider.told("offline", other.user.id)[0]);
    for (const client of [outsider, deaf])
      assert.deepEqual([client.told("online", other.user.id), client.told("offline", other.user.id)], [[], []]);
    await Promise.all([insider, outsider, deaf].map((client) => client.request("Unregister")));
  });

  test("a guest's reply carries more than id and name only when asked to, with info:true", async () => {
    const guest = await connect("Ina");
    assert.deepEqual(Object.keys(guest.user).sort(), ["guest", "id", "name"]);
    const again = await connectTestClient(`${stack.wsUrl()}/ws`);
    const { user } = await again.request<{ user: PresentUser }>("Register", { token: guest.token, info: true });
    assert.deepEqual(
      [user.id, user.name, user.status, user.devices, user.info],
      [guest.user.id, "Ina", "online", 2, null],
    );
    await Promise.all([guest, again].map((client) => client.request("Unregister")));
  });

  test("a guest becomes a user without a new connection, and keeps rooms and read marks", async () => {
    const watcher = await connect("Watcher", { gateway: 2 });
    const guest = await connect("Gus");
    const { id } = guest.user;
    await guest.request("JoinRoom", { room: "kept" });
    await guest.request("SendMessage", { room: "kept", clientMessageId: "1", text: "as a guest" });
    await guest.request("MarkRead", { room: "kept", seq: 1 });
    // Else one telling has it all: somebody new, by the later name.
    await waitFor("Gus online", () => watcher.told("online", id)[0]);
    const token = await tokenOf("--user", id, "--name", "Gustav");
    assert.equal((await guest.send("RefreshToken", { token })).code, "unauthorized");
    assert.equal((await api("PATCH", `/v1/users/${id}`, { guest: false })).status, 200);
    await guest.request("RefreshToken", { token });
    await guest.request("SendMessage", { room: "kept", clientMessageId: "2", text: "as a user" });
    const update = await waitFor("the update", () => watcher.told("update", id)[0]);
    assert.deepEqual([update.name, update.guest], ["Gustav", false]);
    const { rooms } = await guest.request<{ rooms: { room: string; lastRead: number; unread: number }[] }>("Rooms");
    assert.deepEqual(
      rooms.map(({ room, lastRead, unread }) => ({ room, lastRead, unread })),
      [{ room: "kept", lastRead: 1, unread: 0 }],
    );
    const asGuest = await connectTestClient(`${stack.wsUrl()}/ws`);
    assert.equal((await asGuest.send("Register", { token: guest.token })).code, "unauthorized");
    assert.equal(watcher.told("offline", id).length, 0);
    await Promise.all([watcher, guest].map((client) => client.request("Unregister")));
  });
});

describe("emit", () => {
  test("emitUser reaches every session of chosen users on all nodes, and says who is offline and who unknown", async () => {
    const bus = await connectBus({ url: stack.engines.nats?.url ?? "", role: "notify", name: "a test" });
    try {
      const one = await connect("One");
      const again = await connect("One", { token: one.token, gateway: 2 });
      const two = await connect("Two", { gateway: 2 });
      const gone = await connect("Gone");
      await gone.request("Unregister");
      await waitFor("gone", async () => (await api("GET", `/v1/users/${gone.user.id}/sessions`)).body);
      const report = await emitUser(bus, [one.user.id, two.user.id, gone.user.id, "nobody"], {
        event: "score",
        data: { points: 3 },
        sender: { id: "game", name: "The game" },
      });
      assert.deepEqual(report, { sessions: 3, unknown: ["nobody"], offline: [gone.user.id] });
      for (const client of [one, again, two])
        assert.deepEqual(await client.waitForEvent("score"), {
          ...{ eventType: "ServerEvent", event: "score", data: { points: 3 } },
          ...{ sender: { id: "game", name: "The game" }, type: "users" },
        });
      const own = await emitUser(bus, [two.user.id], { event: "notification", data: { id: 1 }, ofProtocol: true });
      assert.equal(own.sessions, 1);
      assert.deepEqual(await two.waitForEvent("notification"), {
        ...{ eventType: "ServerEvent", event: "notification", data: { id: 1 } },
      });
      await assert.rejects(emitUser(bus, ["nobody"], { event: "x", data: null }), (error: Refusal) => {
        assert.deepEqual([error.code, error.message], ["not_found", 'There is no user "nobody"']);
        return error instanceof Refusal;
      });
      await assert.rejects(emit(bus, { to: { all: true }, event: "presence", data: null }), { code: "bad_request" });
      await Promise.all([one, again, two].map((client) => client.request("Unregister")));
    } finally {
      await bus.close();
    }
  });

  test("the internal API: emit to a guest, a room, all; what it refuses, it says", async () => {
    const one = await connect("One");
    await one.request("JoinRoom", { room: "emitted to" });
    const sent = await api("POST", "/v1/emit", { to: { user: one.user.id }, event: "to.one", data: [1] });
    assert.deepEqual(sent, { status: 200, body: { sessions: 1, unknown: [], offline: [] } });
    await one.waitForEvent("to.one", ({ data }) => JSON.stringify(data) === "[1]");
    await waitFor("the room's session to be counted", async () => {
      const { body } = await api("POST", "/v1/emit", { to: { room: "emitted to" }, event: "to.room" });
      return body.sessions === 1;
    });
    const inRoom = await one.waitForEvent("to.room");
    assert.deepEqual([inRoom.room, inRoom.data], ["emitted to", null]);
    const all = await api("POST", "/v1/emit", { to: { all: true }, event: "to.all", data: "hi" });
    assert.ok((all.body.sessions as number) >= 1);
    await one.waitForEvent("to.all");

    const refused = async (path: string, body: unknown) => {
      const { status, body: answer } = await api("POST", path, body);
      return [status, answer.code, answer.error];
    };
    const many = Array.from({ length: 10_000 }, (_, i) => `u${i}`);
    assert.deepEqual(await refused("/v1/emit-user", { users: many, event: "x" }), [
      ...[413, "too_large", "users may name 1000 at most, these are 10000: send several"],
    ]);
    assert.deepEqual(await refused("/v1/emit-user", { users: ["nobody", "no one"], event: "x" }), [
      ...[404, "not_found", 'There is no user "nobody, no one"'],
    ]);
    assert.deepEqual(await refused("/v1/emit", { to: { all: true }, event: "message" }), [
      ...[400, "bad_request", "event must not be message: the protocol uses this name"],
    ]);
    assert.deepEqual((await refused("/v1/emit-user", { users: [""], event: "x" })).slice(0, 2), [400, "bad_request"]);
    await one.request("Unregister");
  });

  test("Emit: to a room that the guest listens to; to users and all only with the right", async () => {
    const guest = await connect("Guest");
    const friend = await connect("Friend", { gateway: 2 });
    for (const client of [guest, friend]) await client.request("JoinRoom", { room: "game" });
    await waitFor("both to be counted", async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return (
        (await guest.request<{ sessions: number }>("Emit", { room: "game", event: "move", data: { x: 1 } }))
          .sessions === 2
      );
    });
    const move = await friend.waitForEvent("move");
    assert.deepEqual(move, {
      ...{ eventType: "ServerEvent", event: "move", room: "game", data: { x: 1 } },
      ...{ sender: { id: guest.user.id, name: "Guest" }, type: "room" },
    });
    const codeAndError = async (client: typeof guest, fields: object) => {
      const { code, error } = await client.send("Emit", fields);
      return [code, error];
    };
    assert.deepEqual(await codeAndError(guest, { room: "elsewhere", event: "x" }), [
      "forbidden",
      "Join the room first",
    ]);
    assert.deepEqual(await codeAndError(guest, { all: true, event: "x" }), [
      ...["forbidden", "To emit to all, a token with the right emit:all is needed"],
    ]);
    assert.deepEqual(await codeAndError(guest, { users: [friend.user.id], event: "x" }), [
      ...["forbidden", "To emit to users, a token with the right emit:users is needed"],
    ]);
    const ids = Array.from({ length: 10_000 }, (_, i) => `u${i}`).slice(0, 5_000);
    assert.equal((await guest.send("Emit", { users: ids, event: "x" })).code, "too_large");

    const token = await tokenOf("--user", "host", "--rights", "join,send,emit:users,emit:all");
    const host = await connect("", { token });
    assert.deepEqual(await host.request("Emit", { users: [friend.user.id, "nobody"], event: "you" }), {
      ...{ sessions: 1, unknown: ["nobody"], offline: [] },
    });
    await friend.waitForEvent("you", (frame) => (frame as { type?: string }).type === "users");
    assert.ok((await host.request<{ sessions: number }>("Emit", { all: true, event: "everyone" })).sessions >= 3);
    await Promise.all([guest, friend].map((client) => client.waitForEvent("everyone")));
    await Promise.all([guest, friend, host].map((client) => client.request("Unregister")));
  });
});

describe("users", () => {
  test("made, changed, looked up; their sessions; put out", async () => {
    const made = await api("POST", "/v1/users", {
      ...{ id: "ulla", name: "Ulla", phone: "+491701234567", email: "u@example.org", avatarColor: "#7c3aed" },
      info: { team: "blue" },
    });
    assert.equal(made.status, 201);
    assert.deepEqual((await api("POST", "/v1/users", { id: "ulla" })).body.code, "conflict");
    assert.deepEqual((await api("GET", "/v1/users/nobody")).status, 404);
    assert.deepEqual((await api("PATCH", "/v1/users/nobody", { name: "N" })).body.code, "not_found");
    assert.deepEqual((await api("PATCH", "/v1/users/ulla", { phone: "12" })).body.code, "bad_request");
    const changed = await api("PATCH", "/v1/users/ulla", { email: null });
    assert.deepEqual(
      [changed.body.email, changed.body.phone, changed.body.info],
      [null, "+491701234567", { team: "blue" }],
    );
    const ulla = await connect("", { token: await tokenOf("--user", "ulla") });
    await ulla.request("JoinRoom", { room: "of ulla" });
    const seen = ulla.activeUsers.users.find(({ id }) => id === "ulla");
    assert.deepEqual([seen?.info, seen?.avatarColor], [{ team: "blue" }, "#7c3aed"]);
    assert.ok(!JSON.stringify(ulla.activeUsers).includes("+49170"), "nobody's phone is shown to others");
    const sessions = await waitFor("the session with its room", async () => {
      const { body } = await api("GET", "/v1/users/ulla/sessions");
      const [first] = body.sessions as { rooms: string[]; node: string }[];
      return first?.rooms.length === 1 && first;
    });
    assert.deepEqual(sessions.rooms, ["of ulla"]);
    assert.match(sessions.node, /^g1-/);
    assert.deepEqual(await api("POST", "/v1/users/ulla/disconnect"), { status: 202, body: { sessions: 1 } });
    assert.equal((await ulla.closed).code, 4503);
  });
});
