/** The directory of presence against a plain model: whatever happens in whatever order, both say the same. */
import assert from "node:assert/strict";
import test from "node:test";
import type { PresenceChange, SessionReport } from "@parley/bus";
import { changeOf, connectRedis, createDirectory, createTeller, type Directory, endNode } from "@parley/presence";
import type { UserStore } from "@parley/store";
import fc from "fast-check";
import { startTestRedis } from "../support/start-redis.ts";
import { waitFor } from "../support/wait-for.ts";

const graceMs = 5_000;
const users = ["ada", "bob", "🦊 } {p1}"];
const nodes = ["g1", "g2", "g3"];
const rooms = ["hall", "a:b}{c"];
const shardCount = 64;

interface ModelSession {
  user: string;
  node: string;
  idle: boolean;
  rooms: string[];
}

/** What is true, kept the plainest way. */
function createModel() {
  const sessions = new Map<string, ModelSession>();
  const choices = new Map<string, { status: string; atMs: number }>();
  const graces = new Map<string, { endsAtMs: number; status: string }>();
  const known = new Map<string, string>();
  const statusOf = (user: string, nowMs: number): string => {
    const own = [...sessions.values()].filter((session) => session.user === user);
    if (own.length > 0) {
      const chosen = choices.get(user)?.status ?? "online";
      if (chosen !== "online") return chosen;
      return own.every(({ idle }) => idle) ? "away" : "online";
    }
    const grace = graces.get(user);
    return grace && nowMs < grace.endsAtMs ? grace.status : "";
  };
  const end = (id: string, nowMs: number, atOnce: boolean) => {
    const session = sessions.get(id);
    if (!session) return;
    const before = statusOf(session.user, nowMs);
    sessions.delete(id);
    if ([...sessions.values()].some(({ user }) => user === session.user)) return;
    if (atOnce) graces.delete(session.user);
    else graces.set(session.user, { endsAtMs: nowMs + graceMs, status: before });
  };
  return { sessions, choices, graces, known, statusOf, end };
}

type Step =
  | { do: "connect"; user: number; node: number; rooms: string[] }
  | { do: "end"; which: number; atOnce: boolean }
  | { do: "idle"; which: number; idle: boolean }
  | { do: "rooms"; which: number; rooms: string[] }
  | { do: "choose"; which: number; status: "online" | "away" | "busy" }
  | { do: "kill"; node: number }
  | { do: "pass"; ms: number }
  | { do: "tell"; dies: boolean };

const someRooms = fc.subarray(rooms);
const which = fc.nat(7);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({ do: fc.constant("connect" as const), user: fc.nat(2), node: fc.nat(2), rooms: someRooms }),
    weight: 4,
  },
  { arbitrary: fc.record({ do: fc.constant("end" as const), which, atOnce: fc.boolean() }), weight: 4 },
  fc.record({ do: fc.constant("idle" as const), which, idle: fc.boolean() }),
  fc.record({ do: fc.constant("rooms" as const), which, rooms: someRooms }),
  fc.record({ do: fc.constant("choose" as const), which, status: fc.constantFrom("online", "away", "busy") }),
  fc.record({ do: fc.constant("kill" as const), node: fc.nat(2) }),
  { arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1_000, 4_000, 6_000) }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constant("tell" as const), dies: fc.boolean() }), weight: 3 },
);

const hashOf = (text: string): number =>
  [...text].reduce((h, c) => (Math.imul(h, 31) + (c.codePointAt(0) ?? 0)) >>> 0, 7);

test("[P1] [P3] whatever comes, drops, dies and returns, on several nodes: Redis and what was told agree with a plain model", async (t) => {
  const redis = await startTestRedis(t);
  const connection = connectRedis({ url: redis.url, onError: () => {} });
  t.after(connection.close);
  await waitFor("Redis", connection.isUp);

  let run = 0;
  let toldInAll = 0;
  const play = async (steps: Step[]) => {
    run++;
    await connection.redis.flushall();
    const clock = { nowMs: 1_760_000_000_000 };
    const directory = createDirectory({ connection, graceMs, leaseMs: 10_000, now: () => clock.nowMs });
    const model = createModel();
    /** What somebody who has heard everything believes. */
    const heard = new Map<string, string>();
    const hear = (changes: PresenceChange[]) => {
      for (const { user, change } of changes) {
        toldInAll++;
        if (change === "offline") heard.delete(user.id);
        else if (change !== null) heard.set(user.id, user.status);
        if (user.status === "offline") assert.equal(change, "offline");
        // [P3] each kind is what it says.
        if (change === "offline") assert.equal(user.status, "offline");
        if (change === "online" || change === "update") assert.notEqual(user.status, "offline");
        // [P1] nobody is said to be anything but what they are now.
        assert.equal(
          change === null ? user.status : (heard.get(user.id) ?? "offline"),
          model.statusOf(user.id, clock.nowMs) || "offline",
        );
      }
    };
    const noStore = {
      find: async (ids: string[]) => ids.map(() => null),
      touch: async () => {},
    } as unknown as UserStore;
    const tell = async (dies = false) => {
      const failing: Directory = { ...directory, markTold: () => Promise.reject(new Error("killed")) };
      const teller = createTeller({
        directory: dies ? failing : directory,
        users: noStore,
        publish: hear,
        now: () => clock.nowMs,
        onError: () => {},
      });
      for (const shard of await endGraces(directory)) teller.schedule(shard);
      await teller.close();
    };
    const report = (id: string) => {
      const session = model.sessions.get(id) as ModelSession;
      const choice = model.choices.get(session.user);
      const text = JSON.stringify([id, session, choice]);
      const one: SessionReport = {
        session: id,
        user: { id: session.user, name: session.user.toUpperCase(), guest: true },
        idle: session.idle,
        rooms: session.rooms,
        choice: choice ? { ...choice, status: choice.status as "busy", text: "" } : null,
        hash: hashOf(text),
      };
      hashes.set(id, one.hash);
      return directory.put(session.node, one);
    };
    const hashes = new Map<string, number>();
    let next = 1;
    for (const each of steps) {
      const ids = [...model.sessions.keys()];
      const picked = "which" in each ? ids[each.which % Math.max(1, ids.length)] : undefined;
      const session = picked === undefined ? undefined : model.sessions.get(picked);
      if (each.do === "connect") {
        const id = `s${next++}`;
        const user = users[each.user] as string;
        // A status that was chosen lasts as long as the user is here; seconds more are no change.
        if (model.statusOf(user, clock.nowMs) === "" && !heard.has(user)) model.choices.delete(user);
        model.sessions.set(id, { user, node: nodes[each.node] as string, idle: false, rooms: each.rooms });
        await report(id);
      } else if (each.do === "kill") {
        const node = nodes[each.node] as string;
        for (const [id, one] of [...model.sessions]) if (one.node === node) model.end(id, clock.nowMs, true);
        for (let shard = 0; shard < shardCount; shard++) await endNode(directory, node, shard);
      } else if (each.do === "pass") {
        clock.nowMs += each.ms;
        await endGraces(directory);
      } else if (each.do === "tell") await tell(each.dies);
      else if (picked !== undefined && session) {
        if (each.do === "end") {
          const user = { id: session.user, name: session.user.toUpperCase(), guest: true };
          model.end(picked, clock.nowMs, each.atOnce);
          await directory.end({ session: picked, user, atOnce: each.atOnce });
        } else {
          if (each.do === "idle") session.idle = each.idle;
          if (each.do === "rooms") session.rooms = each.rooms;
          if (each.do === "choose") model.choices.set(session.user, { status: each.status, atMs: ++clock.nowMs });
          await report(picked);
        }
      }
    }
    await tell();
    await tell();

    for (const user of users) {
      const expected = model.statusOf(user, clock.nowMs);
      const [present] = await directory.present([user]);
      assert.equal(present?.status ?? "", expected, `status of ${user}`);
      assert.equal(heard.get(user) ?? "", expected, `what was told of ${user}`);
      const own = [...model.sessions.values()].filter((one) => one.user === user);
      if (expected !== "") assert.equal(present?.devices, own.length);
      assert.deepEqual((await directory.nodesOf([user]))[0]?.sort(), own.map(({ node }) => node).sort());
    }
    const all = [...model.sessions.values()];
    const here = (room: string | null) =>
      new Set(
        room === null
          ? users.filter((user) => model.statusOf(user, clock.nowMs))
          : all.filter((one) => one.rooms.includes(room)).map(({ user }) => user),
      );
    for (const room of [null, ...rooms]) {
      const ids = await Promise.all(
        Array.from({ length: shardCount }, (_, shard) => directory.ids(room, shard, "", 10)),
      );
      assert.deepEqual(new Set(ids.flat()), here(room), `who is in ${room}`);
      const sessions = room === null ? all : all.filter((one) => one.rooms.includes(room));
      assert.equal(await directory.countSessions(room), sessions.length, `sessions in ${room}`);
    }
    for (const node of nodes) {
      const sums = await Promise.all(Array.from({ length: shardCount }, (_, shard) => directory.sumOf(node, shard)));
      const own = [...model.sessions].filter(([, one]) => one.node === node);
      assert.equal(
        sums.reduce((n, { count }) => n + count, 0),
        own.length,
      );
      assert.equal(
        sums.reduce((n, { sum }) => n + sum, 0),
        own.reduce((n, [id]) => n + (hashes.get(id) as number), 0),
      );
    }
    // When all are gone and that was told, nothing is left behind.
    for (const id of model.sessions.keys()) {
      const one = model.sessions.get(id) as ModelSession;
      await directory.end({ session: id, user: { id: one.user, name: "", guest: true }, atOnce: true });
    }
    clock.nowMs += graceMs;
    model.sessions.clear();
    model.graces.clear();
    await tell();
    assert.deepEqual(
      (await connection.redis.keys("parley:*")).filter((key) => !key.endsWith(":v")),
      [],
    );
    assert.equal(heard.size, 0);
  };

  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), play), { numRuns: 60 });
  t.diagnostic(`${run} runs, ${toldInAll} changes told`);
});

test("what is told is named rightly", () => {
  const kind = (told: "" | "online" | "?", status: "" | "online" | "busy", same = false) =>
    changeOf({ told, status, same });
  assert.deepEqual(
    [kind("", "online"), kind("online", "busy"), kind("online", ""), kind("", "")],
    ["online", "update", "offline", null],
  );
  assert.equal(kind("online", "online", true), null);
  assert.deepEqual([kind("?", "busy"), kind("?", "")], ["online", "offline"]);
});

async function endGraces(directory: Directory): Promise<number[]> {
  const waiting = await Promise.all(Array.from({ length: shardCount }, (_, shard) => directory.endGraces(shard)));
  return waiting.flatMap((count, shard) => (count > 0 ? [shard] : []));
}
