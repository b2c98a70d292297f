import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { type NewEntry, newUser, openStore, type RoomRecord, type Store } from "@parley/store";
import { startTestMongodb, whyNoMongodb, withDatabase } from "../support/start-mongodb.ts";
import { tempDir } from "../support/temp-dir.ts";

const skip = (await whyNoMongodb()) ?? false;
const script = resolve(import.meta.dirname, "../../libs/store/copy-store.ts");

const roomOf = (i: number): RoomRecord => ({
  name: `room ${i} "$gt" .dotted`,
  key: 1_000_000 + i,
  visibility: i % 2 === 0 ? "public" : "private",
  title: i % 3 === 0 ? null : `Room ${i}`,
  closed: i % 5 === 0,
  receipts: i % 2 === 1,
  retentionMs: null,
  retentionEntries: i % 4 === 0 ? 100 : null,
  createdAtMs: 1_760_000_000_000 + i,
  version: i + 1,
});

function entries(from: number, to: number): NewEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const seq = from + i;
    const edits = seq % 10 === 0;
    return {
      seq,
      count: seq - Math.floor(seq / 10),
      kind: edits ? ("edited" as const) : ("message" as const),
      sender: `user ${seq % 7}`,
      clientMessageId: `id ${seq}`,
      digest: seq * 31,
      atMs: 1_760_000_000_000 + seq,
      target: edits ? seq - 1 : null,
      body: JSON.stringify({ seq, text: `Grüße ${seq} 😀 {"$set":{"a.b":1}}` }),
    };
  });
}

/** A store with something of each kind in it. */
async function fill(store: Store, rooms: number, entriesEach: number): Promise<RoomRecord[]> {
  const made = Array.from({ length: rooms }, (_, i) => roomOf(i));
  for (const room of made) {
    await store.rooms.create(room);
    await store.rooms.putMember(room.key, "ada", { role: "owner" }, 5);
    await store.rooms.putMember(room.key, "eve", { member: false, banned: true }, 6);
    for (let seq = 1; seq <= entriesEach; seq += 1_000) {
      await store.log.append([{ key: room.key, entries: entries(seq, Math.min(entriesEach, seq + 999)) }]);
    }
    await store.rooms.markRead(room.key, "ada", 3, 3);
  }
  const [one, two] = made as [RoomRecord, RoomRecord];
  const redactions = [{ seq: 2, body: '{"gone":true}' }];
  await store.log.append([{ key: one.key, entries: entries(entriesEach + 1, entriesEach + 1), redactions }]);
  await store.log.trim(two.key, Math.floor(entriesEach / 3), 1_000_000);
  await store.users.put({
    ...newUser({ id: "ada", name: "Ada", guest: true }, 7),
    info: '{"a.b":"$x"}',
    phone: "+15550100",
  });
  await store.timers.put({
    ...{ room: one.name, key: one.key, partition: 3, state: "running", durationMs: 60_000, remainingMs: 60_000 },
    ...{ endsAtMs: 9e12, endedAtMs: null, settings: "{}", version: 1 },
  });
  await store.tickets.create({
    ...{ room: two.name, asker: "ada", askerName: "Ada", subject: "Card", status: "open", agent: null, rating: null },
    ...{ comment: null, clientKey: "client:1", openedAtMs: 1, changedAtMs: 2, version: 1 },
  });
  await store.notifications.create({
    ...{ id: "n1", user: "ada", kind: "mention", title: "t", body: "b", data: null, dedupeKey: "k", status: "sent" },
    ...{ plan: "[]", count: 1, position: "p", readAtMs: null, createdAtMs: 1, sentAtMs: 2, dueAtMs: null, version: 1 },
  });
  await store.notifications.putPreferences({ user: "ada", phone: "+15550100", body: "{}" });
  await store.sms.create({
    ...{ id: "s1", to: "+15550100", text: "hi", kind: "bulk", onUnknown: "settle", idempotencyKey: "i", digest: "d" },
    ...{ status: "sent", attempts: 1, provider: "file", providerId: "p1", error: null, createdAtMs: 1, updatedAtMs: 2 },
    ...{ dueAtMs: null, version: 3 },
  });
  await store.sms.addOptOut("+15550199", 4);
  await store.revocations.put("user:eve", 99);
  return made;
}

/** Runs the tool; resolves with what it said and its exit code, null when it was killed. */
async function copy(from: string, to: string, ...more: string[]) {
  const args = ["--disable-warning=ExperimentalWarning", script, "--from", from, "--to", to, ...more];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, said }));
  return { child, ended, said: () => said };
}

async function setUp(t: TestContext) {
  const server = await startTestMongodb(t);
  const path = join(tempDir(t), "parley.db");
  return { path, from: `sqlite:${path}`, to: withDatabase(server.url, `copy-${randomUUID()}`) };
}

/** All that both stores can be asked about what `fill` made. */
async function compare(from: string, to: string, rooms: RoomRecord[]): Promise<void> {
  // All heads at once are much for a server that reads whole collections.
  const patient = { mongodb: { timeoutMs: 60_000 } };
  const [a, b] = (await Promise.all([openStore(from), openStore(to, patient)])) as [Store, Store];
  try {
    await compareStores(a, b, rooms);
  } finally {
    // Before the server stops: the driver would look for it as patiently, to say goodbye.
    await Promise.all([a.close(), b.close()]);
  }
}

async function compareStores(a: Store, b: Store, rooms: RoomRecord[]): Promise<void> {
  const asked = async ({ log, rooms: r, users, timers, tickets, notifications, sms, revocations }: Store) => ({
    heads: await log.heads(rooms.map(({ key }) => key)),
    rooms: await r.find(rooms.map(({ name }) => name)),
    logs: await Promise.all(rooms.slice(0, 3).map(({ key }) => log.readAfter(key, 0, 100_000))),
    deleted: await log.get(rooms[0]!.key, 2),
    edits: await log.editsOf(rooms[0]!.key, 9),
    found: await log.find(rooms[2]!.key, entries(1, 20)),
    members: await Promise.all(rooms.map(({ key }) => r.members(key, { after: null, limit: 10 }))),
    exceptions: await r.exceptions(rooms[1]!.key),
    roomsOf: await r.roomsOf("ada", { after: null, limit: 1_000 }),
    unread: await r.unread(rooms.map(({ key }) => ({ key, user: "ada" }))),
    users: await users.find(["ada"]),
    timers: await timers.find([rooms[0]!.name]),
    tickets: await tickets.find(rooms[1]!.name),
    notifications: [await notifications.find("n1"), await notifications.preferences("ada")],
    sms: [await sms.find("s1"), await sms.isOptedOut("+15550199")],
    revocations: await revocations.find(["user:eve"]),
  });
  assert.deepEqual(await asked(b), await asked(a));
  const { key } = rooms[2]!;
  const [head] = await b.log.heads([key]);
  const next = entries(head!.seq + 1, head!.seq + 1);
  assert.deepEqual(await b.log.append([{ key, entries: next }]), ["appended"], "and it goes on from there");
  assert.deepEqual(await b.log.append([{ key, entries: entries(1, 1) }]), ["conflict"]);
}

/** Copies, and is killed as soon as so many percent of the entries are there. */
async function copyUntil(t: TestContext, from: string, to: string, percent: number): Promise<void> {
  const run = await copy(from, to);
  t.after(() => run.child.kill("SIGKILL"));
  const copied = () =>
    Math.max(0, ...[...run.said().matchAll(/(\d+) % .* entries\n/g)].map(([, share]) => Number(share)));
  while (copied() < percent && run.child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
  run.child.kill("SIGKILL");
  assert.equal((await run.ended).code, null, `it was to be killed on its way:\n${run.said()}`);
}

interface Interruption {
  rooms: number;
  entriesEach: number;
  /** Of the entries, when it is killed each time. */
  killedAtPercent: number[];
}

async function checkInterrupted(t: TestContext, { rooms, entriesEach, killedAtPercent }: Interruption): Promise<void> {
  const { from, to } = await setUp(t);
  const store = await openStore(from);
  const made = await fill(store, rooms, entriesEach);
  await store.close();

  for (const percent of killedAtPercent) {
    const startedAt = performance.now();
    await copyUntil(t, from, to, percent);
    t.diagnostic(`killed at ${percent} % after ${Math.round(performance.now() - startedAt)} ms`);
  }
  const startedAt = performance.now();
  const again = await (await copy(from, to)).ended;
  assert.equal(again.code, 0, again.said);
  t.diagnostic(
    `the last run took ${Math.round(performance.now() - startedAt)} ms: ${again.said.trimEnd().split("\n").slice(-2).join("; ")}`,
  );
  const [, total, written] =
    new RegExp(`(\\d+) entries in ${rooms} rooms, (\\d+) written by this run`).exec(again.said) ?? [];
  assert.ok(
    Number(written) > 0 && Number(written) < Number(total),
    `the last run goes on where the one before was: ${again.said}`,
  );
  await compare(from, to, made);

  const third = await (await copy(from, to)).ended;
  assert.equal(third.code, 1);
  assert.match(third.said, /was finished at .*--again/);
}

test(
  "copy-store: killed amid the logs and run again, the copy has everything, once",
  {
    skip,
    timeout: 180_000,
  },
  (t) => checkInterrupted(t, { rooms: 20, entriesEach: 1_500, killedAtPercent: [10] }),
);

test(
  "copy-store: 200 rooms and 200,000 entries, killed twice and run again",
  {
    skip: skip || (process.env.PARLEY_LONG !== "1" && "minutes; set PARLEY_LONG=1"),
    timeout: 1_200_000,
  },
  (t) => checkInterrupted(t, { rooms: 200, entriesEach: 1_000, killedAtPercent: [20, 60] }),
);

test("copy-store: what changed in the source after it was copied is found and made good with --again", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { from, to } = await setUp(t);
  const store = await openStore(from);
  const rooms = await fill(store, 3, 300);
  await store.close();
  assert.equal((await (await copy(from, to)).ended).code, 0);
  const later = await openStore(from);
  const { key } = rooms[2]!;
  const redactions = [{ seq: 5, body: '{"gone":5}' }];
  await later.log.append([{ key, entries: entries(301, 310), redactions }]);
  await later.close();
  const again = await (await copy(from, to, "--again")).ended;
  assert.equal(again.code, 0, again.said);
  await compare(from, to, rooms);
});

test("copy-store: a database in use, and addresses that can't be right, are refused with a word on what to do", {
  skip,
}, async (t) => {
  const { path, from, to } = await setUp(t);
  await (await openStore(from)).close();
  const used = await openStore(to);
  await used.users.put(newUser({ id: "ada", name: "Ada", guest: false }, 1));
  await used.close();
  for (const [args, expected] of [
    [[from, to], /has rooms or users already: name an empty one/],
    [[`sqlite:${path}.absent`, to], /can't be read/],
    [["parley.db", to], /--from takes sqlite:\/absolute\/path, not "parley.db"/],
    [[from, "postgres://x/y"], /--to takes mongodb:\/\/host\/database/],
    [[from, to, "--agian"], /Unknown option '--agian'/],
  ] as const) {
    const { code, said } = await (await copy(...(args as unknown as [string, string]))).ended;
    assert.equal(code, 1, said);
    assert.match(said, expected);
  }
});

test("copy-store knows every table of a store's file", async (t) => {
  const path = join(tempDir(t), "parley.db");
  await (await openStore(`sqlite:${path}`)).close();
  const db = new DatabaseSync(path, { readOnly: true });
  t.after(() => db.close());
  const rows = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
  // The log goes by the port; the rest is the adapter's own.
  const log = ["journal", "log_state", "blocks", "ids", "sent", "edits", "deleted_logs", "pings"];
  const copied = [
    "members",
    "notifications",
    "preferences",
    "revocations",
    "rooms",
    "sms",
    "sms_opt_outs",
    "tickets",
    "timers",
    "users",
  ];
  assert.deepEqual(rows.map(({ name }) => name).sort(), [...copied, ...log].sort());
});
