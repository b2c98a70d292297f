import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeToken } from "@parley/local";
import type { NotificationsData, Preferences, TicketsData, TicketView } from "@parley/protocol";
import { isSignedBy } from "@parley/service-kit";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";

const secret = "shared with the application";
const hooked: { body: string; signature: string | undefined }[] = [];
const application = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const signature = request.headers["parley-signature"];
  hooked.push({
    body: Buffer.concat(chunks).toString(),
    signature: typeof signature === "string" ? signature : undefined,
  });
  response.writeHead(204).end();
});
await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
after(() => {
  application.close();
  application.closeAllConnections();
});

const stack = await startTestStack(
  { after },
  {
    ...{ gateways: 2, chat: 1, presence: 1, timers: 1, notify: 1, sms: 1 },
    env: {
      ...{ NOTIFY_SEEN_MS: "1500", NOTIFY_UNSEEN_MS: "400", NOTIFY_SWEEP_EVERY_MS: "500" },
      NOTIFY_WEBHOOK_URL: `http://127.0.0.1:${(application.address() as AddressInfo).port}/`,
      NOTIFY_WEBHOOK_SECRET: secret,
    },
  },
);

const clients: TestClient[] = [];
after(() => Promise.all(clients.map((client) => client.close())));

async function guest(name: string, gateway = 1) {
  const client = await connectTestClient(`${stack.wsUrl(gateway)}/ws`);
  clients.push(client);
  const { user } = await client.registerGuest(name);
  return Object.assign(client, { id: user.id });
}

async function agent(id: string) {
  const client = await connectTestClient(`${stack.wsUrl(2)}/ws`);
  clients.push(client);
  const token = await makeToken(["--user", id, "--rights", "join,send,tickets"], stack.tokenSecret);
  await client.request("Register", { token });
  return Object.assign(client, { id });
}

async function api(
  service: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(stack.internalUrl(service, 1) + path, {
    method,
    headers: {
      ...headers,
      authorization: `Bearer ${stack.serviceToken}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}

const list = (client: TestClient, unreadOnly = false) =>
  client.request<NotificationsData>("Notifications", { unreadOnly });
const told = (client: TestClient, title: string) =>
  client.waitForEvent(
    "notification",
    (event) => (event.data as { notification?: { title: string } }).notification?.title === title,
  );
const smsSent = async () => {
  const lines = (await readFile(join(stack.stateDir, "data", "sms.jsonl"), "utf8").catch(() => "")).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as { to: string; text: string });
};

test("[N1] a notification is accepted with 202, told at once with the unread count, listed, and read everywhere", async () => {
  const ada = await guest("Ada");
  const { body: accepted, status } = await api("notify", "POST", "/v1/notifications", {
    ...{
      user: ada.id,
      kind: "invoice",
      title: "Invoice 7",
      body: "20.00",
      data: { invoice: 7 },
      dedupeKey: "invoice-7",
    },
  });
  assert.equal(status, 202);
  const event = await told(ada, "Invoice 7");
  const { notification, unread } = event.data as { notification: { id: string }; unread: number };
  assert.equal(unread, 1);
  assert.equal(notification.id, accepted.id);
  const { body: again } = await api("notify", "POST", "/v1/notifications", {
    ...{ user: ada.id, kind: "invoice", title: "Invoice 7 again", dedupeKey: "invoice-7" },
  });
  assert.deepEqual([again.id, again.duplicate], [accepted.id, true]);

  const token = ada.events.length;
  await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "invoice", title: "Invoice 8" });
  await told(ada, "Invoice 8");
  assert.ok(ada.events.length > token);
  const page = await list(ada);
  assert.deepEqual(
    page.notifications.map(({ title, data, read }) => ({ title, data, read })),
    [
      { title: "Invoice 8", data: null, read: false },
      { title: "Invoice 7", data: { invoice: 7 }, read: false },
    ],
  );
  assert.equal(page.unread, 2);
  assert.deepEqual(await ada.request("ReadNotification", { id: accepted.id }), { unread: 1 });
  assert.deepEqual(
    (await list(ada, true)).notifications.map(({ title }) => title),
    ["Invoice 8"],
  );
  const stranger = await guest("Stranger");
  assert.equal((await stranger.send("ReadNotification", { id: accepted.id })).code, "not_found");
  assert.deepEqual(await ada.request("ReadNotification", { all: true }), { unread: 0 });
});

test("reading in one session is told to the user's other sessions, on other gateways too", async () => {
  const id = "two-sessions";
  const [one, two] = [await agent(id), await connectTestClient(`${stack.wsUrl(1)}/ws`)];
  clients.push(two);
  await two.request("Register", { token: await makeToken(["--user", id], stack.tokenSecret) });
  await api("notify", "POST", "/v1/notifications", { user: id, kind: "news", title: "News" });
  await Promise.all([told(one, "News"), told(two, "News")]);
  await one.request("ReadNotification", { all: true });
  const read = await two.waitForEvent("notification", ({ data }) => (data as { read?: string }).read === "all");
  assert.equal((read.data as { unread: number }).unread, 0);
  assert.ok(!one.events.some(({ data }) => (data as { read?: string })?.read === "all"), "the reader is not told");
});

test("a mention notifies who is not reading, once, and nobody who reads it at once", async () => {
  const [ada, bob, cat] = [await guest("Ada Long Name"), await guest("Bob", 2), await guest("Cat {{7*7}}\u202e")];
  for (const client of [ada, bob, cat]) await client.request("JoinRoom", { room: "mentions" });
  const text = "@Ada Long Name and @Cat {{7*7}}\u202e: look {title} #{body} %s";
  const { seq } = await bob.request<{ seq: number }>("SendMessage", { room: "mentions", clientMessageId: "m1", text });
  // Cat reads it; Ada does not.
  await cat.request("MarkRead", { room: "mentions", seq });
  const event = await told(ada, "Bob mentioned you");
  const { notification } = event.data as { notification: NotificationsData["notifications"][0] };
  assert.equal(notification.kind, "mention");
  assert.ok(notification.body.includes("{title} #{body} %s"), "nothing in a text is a template");
  assert.deepEqual(notification.data, { room: "mentions", seq, sender: { id: bob.id, name: "Bob" } });
  await api("notify", "POST", "/v1/notifications", { user: cat.id, kind: "later", title: "after the mention" });
  await told(cat, "after the mention");
  assert.deepEqual(
    (await list(cat)).notifications.map(({ title }) => title),
    ["after the mention"],
  );
  assert.equal((await list(bob)).notifications.length, 0);
});

test("direct messages notify once until one has looked; a muted room never does", async () => {
  const [ada, bob] = [await guest("Ada"), await guest("Bob")];
  const members = [{ user: ada.id }, { user: bob.id }];
  await api("chat", "POST", "/v1/rooms", { name: "ada-bob", visibility: "direct", members });
  const say = (text: string) =>
    bob.request<{ seq: number }>("SendMessage", { room: "ada-bob", clientMessageId: text, text });
  await say("one");
  await say("two");
  await told(ada, "Bob wrote to you");
  const { seq } = await say("three");
  await ada.request("MarkRead", { room: "ada-bob", seq });
  await say("four");
  await waitFor("the second", async () => (await list(ada)).notifications.length === 2);
  assert.deepEqual(
    (await list(ada)).notifications.map(({ body }) => body),
    ["four", "one"],
  );

  await ada.request("SetPreferences", { mutedRooms: ["ada-bob"] });
  const five = await say("five");
  await ada.request("MarkRead", { room: "ada-bob", seq: five.seq });
  await say("six");
  await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "later", title: "after six" });
  await told(ada, "after six");
  // What is waited for here is that nothing comes: longer than a message that is told would take.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  assert.equal((await list(ada)).notifications.length, 3);
});

test("a timer's end notifies who asked for it", async () => {
  const [ada, bob] = [await guest("Ada"), await guest("Bob")];
  for (const client of [ada, bob]) await client.request("JoinRoom", { room: "pomodoro" });
  await ada.request("SetTimer", { room: "pomodoro", duration: 1, notify: true });
  await bob.request("StartTimer", { room: "pomodoro" });
  const event = await told(ada, "Focus 1 is over");
  const { notification } = event.data as { notification: NotificationsData["notifications"][0] };
  assert.deepEqual([notification.kind, notification.body], ["timer", "pomodoro"]);
  assert.equal((await list(bob)).notifications.length, 0);
});

test("what was not seen in the app comes by SMS; what was seen does not", async () => {
  const ada = await guest("Ada");
  const phone = "+12025550171";
  const preferences = await ada.request<Preferences>("SetPreferences", {
    phone,
    channels: { alarm: ["inApp", "sms"] },
  });
  assert.deepEqual(preferences, {
    channels: { alarm: ["inApp", "sms"] },
    digestMinutes: {},
    mutedRooms: [],
    phone,
    quietHours: null,
  });
  const seen = await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "alarm", title: "Seen" });
  await told(ada, "Seen");
  await ada.request("ReadNotification", { id: seen.body.id });
  const unseen = { user: ada.id, kind: "alarm", title: "Un\r\nseen {{x}}", body: "Server 7" };
  const { body } = await api("notify", "POST", "/v1/notifications", unseen);
  const sms = await waitFor("the SMS", async () => (await smsSent()).find(({ to }) => to === phone));
  assert.equal(sms.text, "Un seen {{x}}: Server 7");
  const shown = await ada.waitForEvent("phone.sms", ({ data }) => (data as { to: string }).to === phone);
  assert.equal((shown.data as { text: string }).text, sms.text);
  await waitFor(
    "it to be over",
    async () => (await api("notify", "GET", `/v1/notifications/${body.id}`)).body.status === "sent",
  );
  assert.equal((await smsSent()).filter(({ to }) => to === phone).length, 1);
  const wrong = await ada.send("SetPreferences", { phone: "12345" });
  assert.deepEqual([wrong.code, /E\.164/.test(wrong.error ?? "")], ["bad_request", true]);
});

test("[N1] the webhook channel gets it signed; a channel that can't be used ends as failed", async () => {
  const sent = await api("notify", "POST", "/v1/notifications", {
    user: "absent",
    kind: "news",
    title: "Hook",
    channels: ["webhook"],
  });
  const hook = await waitFor("the webhook", () => hooked.find(({ body }) => body.includes("Hook")));
  assert.ok(isSignedBy(secret, hook.body, hook.signature));
  const { user, notification } = JSON.parse(hook.body) as { user: string; notification: { id: string } };
  assert.deepEqual([user, notification.id], ["absent", sent.body.id]);
  const statusOf = async (id: string) => (await api("notify", "GET", `/v1/notifications/${id}`)).body.status;
  await waitFor("sent", async () => (await statusOf(sent.body.id)) === "sent");
  const vain = await api("notify", "POST", "/v1/notifications", {
    user: "absent",
    kind: "news",
    title: "No phone",
    channels: ["sms"],
  });
  await waitFor("failed", async () => (await statusOf(vain.body.id)) === "failed");
});

test("many of a kind are told as one digest; those of another kind are not in it", async () => {
  const ada = await guest("Ada");
  await ada.request("SetPreferences", { digestMinutes: { like: 1 } });
  await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "like", title: "like 0" });
  await told(ada, "like 0");
  const ids: string[] = [];
  for (const n of [1, 2, 3]) {
    const { body } = await api("notify", "POST", "/v1/notifications", {
      user: ada.id,
      kind: "like",
      title: `like ${n}`,
    });
    ids.push(body.id);
    assert.equal(body.status, "waiting");
  }
  await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "other", title: "another kind" });
  await told(ada, "another kind");
  assert.equal((await list(ada)).notifications.length, 2, "the three wait");
  const cancelled = await api("notify", "DELETE", `/v1/notifications/${ids[2]}`);
  assert.equal(cancelled.status, 204);
  assert.equal((await api("notify", "DELETE", `/v1/notifications/${ids[2]}`)).status, 409);
});

test("[N1] a repeated Idempotency-Key is the first notification; with another body it is refused", async () => {
  const ada = await guest("Ada");
  const post = (body: object) =>
    api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "news", ...body }, { "idempotency-key": "n-1" });
  const first = await post({ title: "shipped", data: { order: 5 } });
  assert.equal(first.status, 202);
  assert.equal(first.body.duplicate, false);
  await told(ada, "shipped");
  const again = await post({ title: "shipped", data: { order: 5 } });
  assert.deepEqual([again.status, again.body.id, again.body.duplicate], [202, first.body.id, true]);
  for (const other of [
    { title: "arrived", data: { order: 5 } },
    { title: "shipped", data: { order: 6 } },
  ]) {
    const refused = await post(other);
    assert.deepEqual([refused.status, refused.body.code], [409, "conflict"]);
    assert.match(refused.body.error, /Idempotency-Key was used for another notification/);
  }
  // A dedupeKey says what it is about, however it is worded.
  const key = { user: ada.id, kind: "news", dedupeKey: "order 5" };
  const named = await api("notify", "POST", "/v1/notifications", { ...key, title: "on its way" });
  const reworded = await api("notify", "POST", "/v1/notifications", { ...key, title: "nearly there" });
  assert.deepEqual([reworded.status, reworded.body.id, reworded.body.duplicate], [202, named.body.id, true]);
});

test("a scheduled notification comes at its time, a cancelled one never", async () => {
  const ada = await guest("Ada");
  const at = new Date(Date.now() + 1_000).toISOString();
  const kept = await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "later", title: "kept", at });
  const gone = await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "later", title: "gone", at });
  assert.equal(kept.body.status, "waiting");
  assert.equal((await api("notify", "DELETE", `/v1/notifications/${gone.body.id}`)).status, 204);
  const event = await told(ada, "kept");
  assert.ok(Date.parse((event.data as { notification: { at: string } }).notification.at) >= Date.parse(at));
  assert.deepEqual(
    (await list(ada)).notifications.map(({ title }) => title),
    ["kept"],
  );
});

test("bad requests say what is wrong", async () => {
  const good = { user: "u", kind: "news", title: "x" };
  const cases: [body: unknown, status: number, says: RegExp][] = [
    [{ ...good, kind: "Ä" }, 400, /kind must be a lower-case word/],
    [{ ...good, title: " \n" }, 400, /title must not be empty/],
    [{ ...good, at: "tomorrow" }, 400, /at must be a time in ISO 8601/],
    [{ ...good, channels: ["fax"] }, 400, /channels/],
    [{ ...good, user: "" }, 400, /user must have 1 to 128/],
    [{ ...good, data: "x".repeat(20_000) }, 413, /data is over/],
    [{ kind: "news", title: "x" }, 400, /user/],
  ];
  for (const [body, status, says] of cases) {
    const answer = await api("notify", "POST", "/v1/notifications", body);
    assert.equal(answer.status, status, JSON.stringify(body));
    assert.match(answer.body.error, says);
  }
});

test("[N1] notifications accepted while notify's queue worker was killed are told when it is back", async () => {
  const ada = await guest("Ada");
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) {
    ids.push(
      (await api("notify", "POST", "/v1/notifications", { user: ada.id, kind: "kill", title: `kill ${n}` })).body.id,
    );
  }
  stack.kill9("notify", 1);
  await waitFor(
    "all to be told",
    async () => {
      const statuses = await Promise.all(
        ids.map(async (id) => (await api("notify", "GET", `/v1/notifications/${id}`)).body.status),
      );
      return statuses.every((status) => status === "sent");
    },
    { timeoutMs: 60_000 },
  );
  assert.equal((await list(ada)).notifications.length, 20, "each once");
});

test("a ticket opened again under its clientTicketId is the same one, also by many at once; for another subject it is refused", async () => {
  const asker = await guest("Twice");
  const other = await guest("Other", 2);
  const fields = { subject: "My card", text: "It is gone", clientTicketId: "t-1" };
  const rooms = await Promise.all([1, 2, 3].map(() => asker.request<{ room: string }>("OpenTicket", fields)));
  rooms.push(await asker.request<{ room: string }>("OpenTicket", fields));
  assert.equal(new Set(rooms.map(({ room }) => room)).size, 1);
  assert.equal((await asker.request<TicketsData>("Tickets")).tickets.length, 1);
  const { room } = rooms[0]!;
  const { entries } = await asker.request<{ entries: { text: string }[] }>("History", { room });
  assert.deepEqual(
    entries.map(({ text }) => text),
    ["It is gone"],
  );
  assert.equal((await asker.send("OpenTicket", { ...fields, subject: "My phone" })).code, "conflict");
  assert.equal((await asker.send("OpenTicket", { ...fields, text: "It is stolen" })).code, "conflict");
  assert.notEqual((await other.request<{ room: string }>("OpenTicket", fields)).room, room);
  const { clientTicketId, ...without } = fields;
  for (let n = 0; n < 2; n++) await asker.request("OpenTicket", without);
  assert.equal((await asker.request<TicketsData>("Tickets")).tickets.length, 3, "without one each is its own");
});

test("help centre: a guest asks, agents are told, one claims and answers, another takes over; the asker closes and rates", async () => {
  const [ann, ben] = [await agent("agent-ann"), await agent("agent-ben")];
  const desk = await ann.request<TicketsData>("Tickets");
  assert.equal(desk.agent, true);
  await ben.request("Tickets");
  const asker = await guest("Asker");
  const { room } = await asker.request<{ room: string }>("OpenTicket", { subject: "My card", text: "It is gone" });
  const ticket = await ann.waitForEvent("ticket", (event) => event.room === room);
  assert.equal((ticket.data as TicketView).subject, "My card");
  await told(ann, "Asker asks for help");
  await told(ben, "Asker asks for help");

  const stranger = await guest("Stranger");
  assert.equal((await stranger.send("JoinRoom", { room })).code, "forbidden");
  assert.equal((await stranger.send("ClaimTicket", { room })).code, "forbidden");
  assert.equal((await stranger.send("CloseTicket", { room })).code, "forbidden");
  assert.equal((await stranger.send("JoinRoom", { room: "help-desk" })).code, "forbidden");
  assert.equal((await stranger.send("JoinRoom", { room: "ticket-of-my-own" })).code, "forbidden");
  assert.deepEqual((await stranger.request<TicketsData>("Tickets")).tickets, []);

  const claims = await Promise.all([ann.send("ClaimTicket", { room }), ben.send("ClaimTicket", { room })]);
  assert.equal(claims.filter(({ success }) => success).length, 1);
  assert.equal(claims.find(({ success }) => !success)?.code, "conflict");
  const [first, second] = claims[0].success ? [ann, ben] : [ben, ann];
  await first.request("JoinRoom", { room, since: 0 });
  await asker.request("JoinRoom", { room });
  await first.request("SendMessage", { room, clientMessageId: "a1", text: "Which card?" });
  await asker.waitForEvent("message", ({ data }) => (data as { text: string }).text === "Which card?");

  await asker.request("LeaveRoom", { room });
  await first.request("SendMessage", { room, clientMessageId: "a2", text: "Are you there?" });
  await told(asker, `${first.id} answered in the help centre`);

  const handed = await first.request<TicketView>("HandOverTicket", { room, agent: second.id });
  assert.equal(handed.agent, second.id);
  const wrong = await first.send("HandOverTicket", { room, agent: asker.id });
  assert.deepEqual([wrong.code, /looked at the help desk/.test(wrong.error ?? "")], ["bad_request", true]);
  await told(second, "A ticket is yours now");
  await second.request("SendMessage", { room, clientMessageId: "b1", text: "A new one is on its way" });

  assert.equal(
    (await second.send("CloseTicket", { room, rating: 5 })).code,
    "forbidden",
    "agents don't rate themselves",
  );
  const closed = await asker.request<TicketView>("CloseTicket", { room, rating: 4, comment: "quick" });
  assert.deepEqual([closed.status, closed.rating, closed.comment], ["closed", 4, "quick"]);
  assert.equal(
    (await second.send("SendMessage", { room, clientMessageId: "b2", text: "too late" })).code,
    "room_closed",
  );
  assert.equal((await second.send("ClaimTicket", { room })).code, "room_closed");
  const mine = await asker.request<TicketsData>("Tickets", { status: "closed" });
  assert.deepEqual(
    mine.tickets.map((each) => [each.room, each.rating]),
    [[room, 4]],
  );
});
