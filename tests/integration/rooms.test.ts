import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Entry, JoinData, JoinError, RegisterData, SendData } from "@parley/protocol";
import { whyTooSlow } from "../support/start-mongodb.ts";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";

const stack = await startTestStack({ after }, { env: { SWEEP_EVERY_MS: "200" } });
const clients: TestClient[] = [];
after(async () => {
  await Promise.all(clients.map((client) => client.close()));
});

interface Guest extends TestClient {
  id: string;
  token: string;
  /** What Register said of the rooms to resume. */
  resumed: NonNullable<RegisterData["rooms"]>;
}

/** A registered guest; `register` may carry a token of before, rooms to resume. */
async function guest(gateway = 1, register: object = { guest: true }): Promise<Guest> {
  const client = await connectTestClient(`${stack.wsUrl(gateway)}/ws`);
  clients.push(client);
  const { user, token = "", rooms = {} } = await client.request<RegisterData>("Register", register);
  return Object.assign(client, { id: user.id, token, resumed: rooms });
}

let lastId = 0;
const nextId = () => `id-${++lastId}`;
const say = (client: TestClient, room: string, text: string, more: object = {}) =>
  client.request<SendData>("SendMessage", { room, clientMessageId: nextId(), text, ...more });
const join = (client: TestClient, room: string, more: object = {}) =>
  client.request<JoinData>("JoinRoom", { room, ...more });
interface Page {
  entries: Entry[];
  head: number;
  epoch: string;
  more: boolean;
}
const history = (client: TestClient, room: string, more: object = {}) =>
  client.request<Page>("History", { room, ...more });
const codeOf = async (client: TestClient, event: string, requestData: object) => {
  const reply = await client.send(event, requestData);
  return reply.success ? "success" : reply.code;
};
const unreadIn = async (client: TestClient, room: string) => {
  const { rooms } = await client.request<{ rooms: { room: string; unread: number }[] }>("Rooms");
  return rooms.find((each) => each.room === room)?.unread;
};
const seqsOf = (entries: { seq: number }[]) => entries.map(({ seq }) => seq);
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** A call of a chat worker's internal API; the worker alternates, for a change must reach both. */
let lastWorker = 0;
async function api(method: string, path: string, body?: unknown, token: string | null = stack.serviceToken) {
  lastWorker = (lastWorker % 2) + 1;
  const response = await fetch(`${stack.internalUrl("chat", lastWorker)}${path}`, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === "" ? null : JSON.parse(text)) as Record<string, unknown> | null };
}
async function apiOk(method: string, path: string, body?: unknown) {
  const answer = await api(method, path, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body as Record<string, unknown>;
}

test("[R1] [R2] what was acknowledged is in History, as it was sent, on either gateway", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  const data = { n: 1, list: [null, true, "ü"] };
  const sent = await ada.request<SendData>("SendMessage", {
    room: "r1",
    clientMessageId: "m",
    text: "hi 🎉\n\u0000\u2028",
    data,
  });
  assert.deepEqual([sent.room, sent.seq, sent.duplicate], ["r1", 1, false]);
  const second = await say(bob, "r1", "answer", { replyTo: 1 });
  assert.equal(second.seq, 2);
  const { entries, head, more } = await history(bob, "r1");
  assert.deepEqual([head, more], [2, false]);
  const { sender, ...first } = entries[0]!;
  assert.equal(sender.id, ada.id);
  const expected = {
    seq: 1,
    kind: "message",
    text: "hi 🎉\n\u0000\u2028",
    data,
    replyTo: null,
    at: sent.at,
    clientMessageId: "m",
  };
  assert.deepEqual(first, expected);
  assert.equal(entries[1]!.replyTo, 1);
  assert.equal(
    await codeOf(ada, "SendMessage", { room: "r1", clientMessageId: "z", text: "x", replyTo: 99 }),
    "bad_request",
  );
});

test("[R3] a repeated clientMessageId stores nothing new; with another body it is a conflict", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  const body = { room: "r3", clientMessageId: "same", text: "once", data: { a: 1 } };
  const first = await ada.request<SendData>("SendMessage", body);
  assert.deepEqual(await ada.request<SendData>("SendMessage", body), { ...first, duplicate: true });
  // The same user from the other gateway, too.
  const elsewhere = await guest(2, { token: ada.token });
  assert.equal(elsewhere.id, ada.id);
  assert.equal((await elsewhere.request<SendData>("SendMessage", body)).seq, first.seq);
  for (const other of [{ text: "twice" }, { data: { a: 2 } }, { data: null }, { replyTo: 1 }])
    assert.equal(await codeOf(ada, "SendMessage", { ...body, ...other }), "conflict");
  const edit = { room: "r3", clientMessageId: "same", target: first.seq, text: "once" };
  assert.equal(await codeOf(ada, "EditMessage", edit), "conflict");
  // Another user, and another room, have ids of their own.
  assert.equal((await bob.request<SendData>("SendMessage", body)).seq, 2);
  assert.equal((await ada.request<SendData>("SendMessage", { ...body, room: "r3 too" })).seq, 1);
  const twice = await Promise.all(
    [1, 2, 3].map(() => ada.request<SendData>("SendMessage", { ...body, clientMessageId: "at-once" })),
  );
  assert.deepEqual(seqsOf(twice), [3, 3, 3]);
  assert.equal((await history(ada, "r3")).head, 3);
});

test("[R4] [R5] a burst that waits for no reply is stored and heard in the order in which it was sent", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  await join(bob, "r4");
  const texts = upTo(80).map(String);
  const sent = await Promise.all(texts.map((text) => say(ada, "r4", text)));
  assert.deepEqual(seqsOf(sent), upTo(80));
  const { entries } = await history(ada, "r4", { limit: 200 });
  assert.deepEqual(
    entries.map(({ text }) => text),
    texts,
  );
  await bob.waitForEvent("message", ({ seq }) => seq === 80);
  const heard = bob.events.filter(({ event }) => event === "message");
  assert.deepEqual(
    heard.map(({ data }) => (data as Entry).text),
    texts,
  );
});

test("[R6] since: what was missed comes with the reply, and the live ones follow with none between", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  for (const text of ["1", "2", "3", "4"]) await say(ada, "r6", text);
  const whole = await join(bob, "r6", { since: 0 });
  assert.deepEqual(seqsOf(whole.missed), [1, 2, 3, 4]);
  assert.deepEqual([whole.recovered, whole.truncated, whole.head], [true, false, 4]);
  await say(ada, "r6", "5");
  await bob.waitForEvent("message", ({ seq }) => seq === 5);
  const { epoch } = whole;
  for (const [more, recovered, missed] of [
    [{}, true, []],
    [{ since: 3 }, true, [4, 5]],
    [{ since: 3, epoch }, true, [4, 5]],
    [{ since: 5, epoch }, true, []],
    [{ since: 6, epoch }, false, []],
    [{ since: 2 ** 53 - 1 }, false, []],
    [{ since: 3, epoch: "another" }, false, []],
    [{ since: 0, epoch: "another" }, false, []],
  ] as const) {
    const joined = await join(await guest(1), "r6", more);
    const { resumed } = await guest(2, { guest: true, rooms: { r6: more } });
    for (const data of [joined, resumed.r6 as JoinData])
      assert.deepEqual([data.recovered, seqsOf(data.missed)], [recovered, missed], JSON.stringify(more));
  }
  const rooms = { r6: { since: 3, epoch }, "r6 never made": { since: 4, epoch } };
  const back = await guest(2, { token: bob.token, rooms });
  assert.equal((back.resumed["r6 never made"] as JoinData).recovered, false);
  await say(ada, "r6", "6");
  await back.waitForEvent("message", ({ seq }) => seq === 6);
});

test("[R6] more than 200 missed: the first 200 and truncated, and History gives what lies between", async () => {
  const ada = await guest(1);
  for (const part of [upTo(70), upTo(140, 71), upTo(205, 141)]) {
    const sender = await guest(1);
    await Promise.all(part.map((n) => say(sender, "r6 long", String(n))));
  }
  const joined = await join(ada, "r6 long", { since: 2 });
  assert.deepEqual([joined.recovered, joined.truncated, joined.head], [true, true, 205]);
  assert.deepEqual(seqsOf(joined.missed), upTo(202, 3));
  const rest = await history(ada, "r6 long", { after: 202, limit: 200 });
  assert.deepEqual(seqsOf(rest.entries), [203, 204, 205]);
  const exact = await join(ada, "r6 long", { since: 5 });
  assert.deepEqual([exact.truncated, exact.missed.length], [false, 200]);
});

test("[R6] entries that retention removed: recovered is false, and History begins after them", async () => {
  const ada = await guest(1);
  await apiOk("POST", "/v1/rooms", { name: "r6 kept", visibility: "public", retentionEntries: 3 });
  for (const text of upTo(8)) await say(ada, "r6 kept", String(text));
  await waitFor("the first entries to be removed", async () => (await history(ada, "r6 kept")).entries.length === 3);
  const { entries, more } = await history(ada, "r6 kept");
  assert.deepEqual([seqsOf(entries), more], [[6, 7, 8], false]);
  for (const since of [0, 1, 4]) {
    const { recovered, missed } = await join(ada, "r6 kept", { since });
    assert.deepEqual([recovered, missed], [false, []], String(since));
  }
  assert.deepEqual(seqsOf((await join(ada, "r6 kept", { since: 5 })).missed), [6, 7, 8]);
  assert.equal((await say(ada, "r6 kept", "9")).seq, 9);
});

test("[R7] unread counts what others sent after the read mark, through any number of reconnections", async () => {
  const [ada, first] = [await guest(1), await guest(2)];
  await join(ada, "r7");
  await join(first, "r7");
  await say(first, "r7", "own");
  let reader = first;
  for (let round = 1; round <= 3; round++) {
    await reader.close();
    await say(ada, "r7", `for later ${round}`);
    reader = await guest(1 + (round % 2), { token: first.token });
    assert.equal(await unreadIn(reader, "r7"), round);
  }
  // Its own, edits and reactions count nothing; deleted ones still do.
  await say(reader, "r7", "mine");
  const { seq } = await say(ada, "r7", "soon gone");
  await ada.request("React", { room: "r7", clientMessageId: nextId(), target: 1, emoji: "👍" });
  await ada.request("DeleteMessage", { room: "r7", clientMessageId: nextId(), target: seq });
  assert.equal(await unreadIn(reader, "r7"), 4);
  assert.equal(await unreadIn(ada, "r7"), 2);
  const marked = await reader.request<{ seq: number; unread: number }>("MarkRead", { room: "r7", seq: 3 });
  assert.deepEqual([marked.seq, marked.unread], [3, 2]);
});

test("[R7] members who don't listen hear of unread messages; those who forgot the room hear nothing", async () => {
  const [ada, away, gone, listening] = [await guest(1), await guest(2), await guest(2), await guest(2)];
  for (const client of [away, gone, listening]) await join(client, "r7 told");
  await away.request("LeaveRoom", { room: "r7 told" });
  await gone.request("LeaveRoom", { room: "r7 told", forget: true });
  await say(ada, "r7 told", "one");
  await away.waitForEvent("unread", ({ data }) => (data as { unread: number }).unread === 1);
  await say(ada, "r7 told", "two");
  const told = await away.waitForEvent("unread", ({ data }) => (data as { unread: number }).unread === 2);
  assert.deepEqual([told.room, told.data], ["r7 told", { room: "r7 told", unread: 2 }]);
  await listening.waitForEvent("message", ({ seq }) => seq === 2);
  for (const client of [gone, listening]) assert.ok(client.events.every(({ event }) => event !== "unread"));
  assert.ok(away.events.every(({ event }) => event !== "message"));
});

test("read marks only go forward, stay within the room, and are told to the reader's other sessions and, with receipts, to the room", async () => {
  await apiOk("POST", "/v1/rooms", { name: "marks", visibility: "public", receipts: true });
  const [ada, bob] = [await guest(1), await guest(2)];
  const device = await guest(2, { token: bob.token });
  await join(ada, "marks");
  await join(bob, "marks");
  for (const text of ["1", "2", "3"]) await say(ada, "marks", text);
  assert.deepEqual(await bob.request("MarkRead", { room: "marks", seq: 2 }), { room: "marks", seq: 2, unread: 1 });
  const own = await device.waitForEvent("read");
  assert.deepEqual([own.room, (own.data as { seq: number; unread: number }).unread], ["marks", 1]);
  const receipt = await ada.waitForEvent("read");
  assert.equal((receipt.data as { user: { id: string } }).user.id, bob.id);
  assert.ok(!("unread" in (receipt.data as object)), "how much others have not read is theirs");
  assert.deepEqual(await bob.request("MarkRead", { room: "marks", seq: 1 }), { room: "marks", seq: 2, unread: 1 });
  assert.equal(await codeOf(bob, "MarkRead", { room: "marks", seq: 4 }), "bad_request");
  assert.deepEqual(await bob.request("MarkRead", { room: "marks", seq: 3 }), { room: "marks", seq: 3, unread: 0 });
  const stranger = await guest(1);
  assert.equal(await codeOf(stranger, "MarkRead", { room: "marks", seq: 1 }), "forbidden");
});

test("[R8] an absent room and a hidden one answer alike", async () => {
  await apiOk("POST", "/v1/rooms", { name: "hidden", visibility: "private", members: [{ user: "somebody" }] });
  const stranger = await guest(1);
  for (const [event, fields] of [
    ["History", {}],
    ["LeaveRoom", {}],
    ["LeaveRoom", { forget: true }],
    ["MarkRead", { seq: 0 }],
    ["MarkRead", { seq: 5 }],
    ["Typing", { typing: true }],
    ["EditMessage", { clientMessageId: "e", target: 1, text: "x" }],
    ["DeleteMessage", { clientMessageId: "d", target: 1 }],
    ["React", { clientMessageId: "r", target: 1, emoji: "x" }],
  ] as const) {
    const [absent, hidden] = [
      await stranger.send(event, { room: "absent", ...fields }),
      await stranger.send(event, { room: "hidden", ...fields }),
    ];
    assert.equal(absent.code, "forbidden", event);
    assert.deepEqual({ ...hidden, requestId: null }, { ...absent, requestId: null }, event);
  }
  // These make an absent room; a hidden one stays hidden.
  assert.equal(await codeOf(stranger, "JoinRoom", { room: "hidden" }), "forbidden");
  assert.equal(await codeOf(stranger, "SendMessage", { room: "hidden", clientMessageId: "s", text: "x" }), "forbidden");
  const { resumed } = await guest(2, { guest: true, rooms: { hidden: { since: 0 } } });
  assert.equal((resumed.hidden as JoinError).code, "forbidden");
});

test("private rooms: members only, from the moment they are one until they are not", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  await apiOk("POST", "/v1/rooms", {
    name: "private",
    visibility: "private",
    members: [{ user: ada.id, role: "owner" }],
  });
  assert.equal((await join(ada, "private")).role, "owner");
  await say(ada, "private", "for us");
  assert.equal(await codeOf(bob, "JoinRoom", { room: "private" }), "forbidden");
  await apiOk("PUT", `/v1/rooms/private/members/${bob.id}`, {});
  await waitFor("Bob to be let in", async () => (await codeOf(bob, "JoinRoom", { room: "private" })) === "success");
  assert.equal((await history(bob, "private")).entries[0]!.text, "for us");
  await apiOk("DELETE", `/v1/rooms/private/members/${bob.id}`);
  await bob.waitForEvent("room.left", ({ data }) => (data as { removed?: boolean }).removed === true);
  assert.equal(await codeOf(bob, "History", { room: "private" }), "forbidden");
  await say(ada, "private", "without Bob");
  assert.ok(bob.events.every(({ seq }) => seq !== 2));
  // Leaving for good is leaving for good.
  await ada.request("LeaveRoom", { room: "private", forget: true });
  assert.equal(await codeOf(ada, "JoinRoom", { room: "private" }), "forbidden");
});

test("mute, ban and closed rooms: refused as such, and only as long as they last", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  const room = "order";
  await join(ada, room);
  await join(bob, room);
  const path = `/v1/rooms/${room}/members/${bob.id}`;
  const bobSays = () => codeOf(bob, "SendMessage", { room, clientMessageId: nextId(), text: "x" });
  const reaches = (code: string) =>
    waitFor(`Bob to get ${code}`, async () => (await bobSays()) === code, { everyMs: 50 });
  await apiOk("PUT", path, { mutedForMs: 60_000 });
  await reaches("muted");
  assert.equal((await history(bob, room)).more, false);
  await apiOk("PUT", path, { mutedForMs: 0 });
  await reaches("success");
  await apiOk("PATCH", `/v1/rooms/${room}`, { closed: true });
  await reaches("room_closed");
  const closed = await bob.send("SendMessage", { room, clientMessageId: nextId(), text: "x" });
  assert.deepEqual([closed.error, closed.retryable], ["Room is closed", false]);
  assert.equal(await codeOf(bob, "React", { room, clientMessageId: "r", target: 1, emoji: "x" }), "room_closed");
  await apiOk("PATCH", `/v1/rooms/${room}`, { closed: false });
  await reaches("success");
  await apiOk("PUT", path, { banned: true });
  await bob.waitForEvent("room.left", ({ data }) => (data as { removed?: boolean }).removed === true);
  await reaches("forbidden");
  for (const event of ["JoinRoom", "History"]) assert.equal(await codeOf(bob, event, { room }), "forbidden");
  assert.equal(await unreadIn(bob, room), undefined);
  await apiOk("PUT", path, { banned: false });
  await waitFor("Bob to be let in", async () => (await codeOf(bob, "JoinRoom", { room })) === "success");
});

test("edits, deletions and reactions are entries of the log; what was deleted is gone from History too", async () => {
  const [ada, bob, mod] = [await guest(1), await guest(2), await guest(2)];
  const room = "amended";
  await join(bob, room);
  const { seq: target } = await say(ada, room, "first words");
  await ada.request("EditMessage", { room, clientMessageId: "e", target, text: "second words" });
  await bob.request("React", { room, clientMessageId: "r", target, emoji: "👍" });
  await bob.request("React", { room, clientMessageId: "u", target, emoji: "👍", remove: true });
  const edited = await bob.waitForEvent("message.edited");
  assert.deepEqual([edited.seq, (edited.data as Entry).target, (edited.data as Entry).text], [2, 1, "second words"]);
  const reacted = await bob.waitForEvent("message.reacted", ({ seq }) => seq === 4);
  assert.deepEqual([(reacted.data as Entry).emoji, (reacted.data as Entry).remove], ["👍", true]);

  const asBob = (event: string, more: object) =>
    codeOf(bob, event, { room, clientMessageId: nextId(), target, ...more });
  assert.equal(await asBob("EditMessage", { text: "mine now" }), "forbidden");
  assert.equal(await asBob("DeleteMessage", {}), "forbidden");
  for (const absent of [2, 99]) assert.equal(await asBob("React", { target: absent, emoji: "x" }), "not_found");

  await apiOk("PUT", `/v1/rooms/${room}/members/${mod.id}`, { role: "moderator" });
  const removal = { room, clientMessageId: "d", target };
  await waitFor("the moderator to be one", async () => (await codeOf(mod, "DeleteMessage", removal)) === "success");
  const deleted = await bob.waitForEvent("message.deleted");
  assert.deepEqual([(deleted.data as Entry).target, (deleted.data as Entry).sender.id], [target, mod.id]);
  const { entries } = await history(ada, room);
  assert.deepEqual(seqsOf(entries), upTo(5));
  assert.doesNotMatch(JSON.stringify(entries), /words/);
  assert.deepEqual([entries[0]!.deleted, entries[0]!.text], [true, null]);
  assert.doesNotMatch(JSON.stringify((await join(await guest(1), room, { since: 0 })).missed), /words/);
  // A repeat is still told as one; anything new about it is not found.
  assert.equal((await mod.request<SendData>("DeleteMessage", removal)).duplicate, true);
  assert.equal(await codeOf(ada, "EditMessage", { room, clientMessageId: "late", target, text: "x" }), "not_found");
});

test("History pages both ways without a hole or a repeat, and says when there is more", async () => {
  const ada = await guest(1);
  await Promise.all(upTo(25).map((n) => say(ada, "pages", String(n))));
  const newest = await history(ada, "pages", { limit: 10 });
  assert.deepEqual([seqsOf(newest.entries), newest.more, newest.head], [upTo(25, 16), true, 25]);
  const older = await history(ada, "pages", { before: 16, limit: 10 });
  assert.deepEqual([seqsOf(older.entries), older.more], [upTo(15, 6), true]);
  const oldest = await history(ada, "pages", { before: 6, limit: 10 });
  assert.deepEqual([seqsOf(oldest.entries), oldest.more], [upTo(5), false]);
  const forth = await history(ada, "pages", { after: 20, limit: 5 });
  assert.deepEqual([seqsOf(forth.entries), forth.more], [upTo(25, 21), false]);
  assert.deepEqual((await history(ada, "pages", { after: 0, limit: 1 })).more, true);
  assert.deepEqual(seqsOf((await history(ada, "pages", { after: 25 })).entries), []);
  assert.deepEqual(seqsOf((await history(ada, "pages", { before: 1 })).entries), []);
  assert.equal((await history(ada, "pages", { limit: 100_000 })).entries.length, 25);
  for (const wrong of [{ limit: 0 }, { limit: -1 }, { before: 3, after: 1 }])
    assert.equal(await codeOf(ada, "History", { room: "pages", ...wrong }), "bad_request");
});

test("Rooms lists a user's rooms with head, read mark, unread and the last entry, page by page", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  const names = upTo(60).map((n) => `list ${String(n).padStart(2, "0")}`);
  await Promise.all(names.map((room) => join(ada, room)));
  await say(bob, "list 01", "hello");
  interface Listed {
    rooms: { room: string; head: number; lastRead: number; unread: number; last: Entry | null }[];
    next: string | null;
  }
  const first = await ada.request<Listed>("Rooms");
  const second = await ada.request<Listed>("Rooms", { next: first.next });
  const all = [...first.rooms, ...second.rooms];
  assert.deepEqual(
    all.map(({ room }) => room),
    names,
  );
  assert.equal(second.next, null);
  const { last, ...rest } = all[0]!;
  assert.deepEqual(rest, { room: "list 01", head: 1, lastRead: 0, unread: 1 });
  assert.equal(last!.text, "hello");
  assert.equal(all[1]!.last, null);
});

test("answers larger than the bus carries come in parts, and delay nobody", { skip: await whyTooSlow() }, async () => {
  const [ada, bob] = [await guest(1), await guest(1)];
  // Three bytes a character: 60 KB each.
  const data = "\u20ac".repeat(20_000);
  const names = upTo(20).map((n) => `large ${String(n).padStart(2, "0")}`);
  for (const room of names) {
    await join(ada, room);
    await ada.request("SendMessage", { room, clientMessageId: nextId(), data });
  }
  for (let i = 0; i < 20; i++) await ada.request("SendMessage", { room: "large", clientMessageId: nextId(), data });
  const startMs = Date.now();
  const listed: string[] = [];
  let next: string | null = null;
  do {
    const page: { rooms: { room: string }[]; next: string | null } = await ada.request("Rooms", { next });
    listed.push(...page.rooms.map(({ room }) => room));
    next = page.next;
  } while (next !== null);
  assert.deepEqual(listed, names);
  const pages = upTo(12).map((n) => history(ada, "large", { limit: n % 2 === 0 ? 6 : 200 }));
  await Promise.all([...pages, say(bob, "small", "meanwhile")]);
  let before = 21;
  while (before > 1) {
    const { entries, more } = await history(ada, "large", { before, limit: 200 });
    assert.deepEqual(seqsOf(entries), upTo(before - 1, entries[0]!.seq));
    before = entries[0]!.seq;
    assert.equal(more, before > 1);
  }
  assert.ok(Date.now() - startMs < 5_000, "nothing waited for an answer that could not be sent");
});

test("Typing reaches the room but not the sender, and ends by a message or by itself", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  const near = await guest(1);
  for (const client of [ada, bob, near]) await join(client, "typing");
  const typingIs = (value: boolean, after = 0) => {
    const told = bob.events.filter(({ event }) => event === "typing").slice(after);
    return told.find(({ data }) => (data as { typing: boolean }).typing === value);
  };
  await ada.request("Typing", { room: "typing", typing: true });
  const began = await waitFor("typing", () => typingIs(true));
  assert.equal((began.data as { user: { id: string } }).user.id, ada.id);
  await near.waitForEvent("typing");
  await say(ada, "typing", "done");
  await waitFor("its end by a message", () => typingIs(false));
  await ada.request("Typing", { room: "typing", typing: true });
  const startMs = Date.now();
  await waitFor("its end by itself", () => typingIs(false, 2), { timeoutMs: 9_000 });
  const tookMs = Date.now() - startMs;
  assert.ok(tookMs > 5_000 && tookMs < 8_000, `it took ${tookMs} ms`);
  assert.ok(ada.events.every(({ event }) => event !== "typing"));
  assert.equal((await history(ada, "typing")).head, 1);
  assert.equal(await codeOf(await guest(1), "Typing", { room: "typing", typing: true }), "forbidden");
});

test("who may not send in a room neither types nor emits there: muted, closed, left, or put out", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  const room = "hush";
  for (const client of [ada, bob]) await join(client, room);
  const path = `/v1/rooms/${room}/members/${bob.id}`;
  const types = (typing = true) => codeOf(bob, "Typing", { room, typing });
  const emits = () => codeOf(bob, "Emit", { room, event: "wave", data: 1 });
  const passing = () => ada.events.filter(({ event }) => event === "typing" || event === "wave").length;
  assert.equal(await types(), "success");
  assert.equal(await emits(), "success");
  await waitFor("both at Ada", () => passing() === 2);

  for (const [change, undo, code] of [
    [() => apiOk("PUT", path, { mutedForMs: 60_000 }), () => apiOk("PUT", path, { mutedForMs: 0 }), "muted"],
    [
      () => apiOk("PATCH", `/v1/rooms/${room}`, { closed: true }),
      () => apiOk("PATCH", `/v1/rooms/${room}`, { closed: false }),
      "room_closed",
    ],
  ] as const) {
    await change();
    // A worker's yes holds for two seconds.
    await waitFor(`typing to be ${code}`, async () => (await types()) === code, { everyMs: 100 });
    await waitFor(`emitting to be ${code}`, async () => (await emits()) === code, { everyMs: 100 });
    const before = passing();
    assert.deepEqual([await types(), await emits()], [code, code]);
    await say(ada, room, code === "muted" ? "so quiet here" : "x").catch(() => {});
    assert.equal(passing(), before, "nothing of it reached the room");
    await undo();
    await waitFor("typing again", async () => (await types()) === "success", { everyMs: 100 });
    await types(false);
  }

  await bob.request("LeaveRoom", { room });
  assert.deepEqual([await types(), await emits()], ["forbidden", "forbidden"]);
  await join(bob, room);
  assert.equal(await types(), "success");
  await apiOk("PUT", path, { banned: true });
  await bob.waitForEvent("room.left", ({ data }) => (data as { removed?: boolean }).removed === true);
  assert.deepEqual([await types(), await emits()], ["forbidden", "forbidden"]);
});

test("LeaveRoom ends the listening; with forget the membership too", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  assert.equal((await join(ada, "left")).members, 1);
  assert.equal((await join(bob, "left")).members, 2);
  await bob.request("LeaveRoom", { room: "left" });
  const left = await ada.waitForEvent("room.left");
  assert.equal((left.data as { user: { id: string } }).user.id, bob.id);
  assert.equal(await unreadIn(bob, "left"), 0);
  await bob.request("LeaveRoom", { room: "left", forget: true });
  assert.equal(await unreadIn(bob, "left"), undefined);
  await say(ada, "left", "alone");
  assert.equal((await join(ada, "left")).members, 1);
  assert.ok(bob.events.every(({ event }) => event !== "message"));
});

test("a deleted room puts its listeners out with room.reset; a later one of that name has another epoch", async () => {
  const [ada, bob] = [await guest(1), await guest(2)];
  await say(ada, "deleted", "1");
  const { epoch } = await join(ada, "deleted", { since: 0 });
  await join(bob, "deleted");
  await apiOk("DELETE", "/v1/rooms/deleted");
  for (const client of [ada, bob]) await client.waitForEvent("room.reset", ({ room }) => room === "deleted");
  await waitFor("it to be gone", async () => (await codeOf(ada, "History", { room: "deleted" })) === "forbidden");
  assert.equal(await unreadIn(ada, "deleted"), undefined);
  const again = await join(ada, "deleted", { since: 1, epoch });
  assert.notEqual(again.epoch, epoch);
  assert.deepEqual([again.recovered, again.missed, again.head], [false, [], 0]);
  assert.equal((await say(ada, "deleted", "anew")).seq, 1);
  await ada.waitForEvent("message", ({ data }) => (data as Entry).text === "anew");
  assert.ok(bob.events.every(({ data }) => (data as Entry | null)?.text !== "anew"));
});

test("internal API: nothing without the token, wrong input says what is wrong, and it describes itself", async () => {
  for (const token of [null, "", "wrong", `${stack.serviceToken}x`]) {
    const { status, body } = await api("GET", "/v1/rooms", undefined, token);
    assert.deepEqual([status, body!.code], [401, "unauthorized"]);
  }
  for (const body of [
    {},
    { name: "api" },
    { name: "api", visibility: "secret" },
    { name: "", visibility: "public" },
    { name: "a\nb", visibility: "public" },
    { name: "a\u0000b", visibility: "public" },
    { name: "x".repeat(129), visibility: "public" },
    { name: "api", visibility: "public", retentionEntries: 0 },
    { name: "api", visibility: "public", unknown: 1 },
    { name: "api", visibility: "direct", members: [{ user: "one" }] },
    { name: "api", visibility: "private", members: [{ user: "a\u0000b" }] },
  ]) {
    const answer = await api("POST", "/v1/rooms", body);
    assert.deepEqual([answer.status, answer.body!.code], [400, "bad_request"], JSON.stringify(body));
  }
  const made = await apiOk("POST", "/v1/rooms", { name: "api", visibility: "public", title: "Title" });
  assert.deepEqual([made.name, made.title, made.visibility], ["api", "Title", "public"]);
  assert.equal((await api("POST", "/v1/rooms", { name: "api", visibility: "public" })).status, 409);
  const message = { text: "maintenance tonight", clientMessageId: "notice" };
  assert.equal((await api("POST", "/v1/rooms/api/messages", message)).status, 201);
  const repeat = await api("POST", "/v1/rooms/api/messages", message);
  assert.deepEqual([repeat.status, repeat.body!.duplicate], [200, true]);
  const { entries } = (await apiOk("GET", "/v1/rooms/api/messages")) as unknown as Page;
  assert.deepEqual([entries[0]!.kind, entries[0]!.text], ["system", "maintenance tonight"]);
  const sent = { text: "as Ada", sender: { id: "ada", name: "Ada" } };
  assert.equal((await api("POST", "/v1/rooms/api/messages", sent)).status, 201);
  const { head, members } = await apiOk("GET", "/v1/rooms/api");
  assert.deepEqual([head, members], [2, 0]);
  for (const path of ["/v1/rooms/nowhere", "/v1/rooms/nowhere/messages", "/v1/rooms/nowhere/members"])
    assert.equal((await api("GET", path)).status, 404, path);
  assert.equal((await api("GET", "/v1/rooms/api/messages?before=1&after=1")).status, 400);
  assert.equal((await api("GET", "/v1/rooms?limit=0")).status, 400);
  assert.equal((await api("GET", "/v1/nothing")).status, 404);

  for (const service of ["chat", "gateway"]) {
    const response = await fetch(`${stack.internalUrl(service, 1)}/openapi.json`);
    const described = (await response.json()) as { openapi: string; paths: Record<string, unknown> };
    assert.match(described.openapi, /^3\.1/);
    assert.ok(Object.keys(described.paths).length > 2, service);
    assert.equal((await fetch(`${stack.internalUrl(service, 1)}/docs`)).status, 200);
  }
});
