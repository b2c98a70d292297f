import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MemberRecord } from "../rooms.ts";
import { roomWith } from "./log-contract.ts";
import { byCodePoint, entries, entry, oddNames, randomKey, room } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

const plain = (user: string, atMs: number, changes: Partial<MemberRecord> = {}): MemberRecord => ({
  user,
  role: "member",
  member: true,
  mutedUntilMs: 0,
  banned: false,
  joinedAtMs: atMs,
  lastRead: 0,
  lastReadCount: 0,
  ...changes,
});

const all = { after: null, limit: 1_000 };

export function roomsContract(stores: ContractStores): void {
  describe("rooms", () => {
    test("a room is made, found, changed and deleted", async () => {
      const { rooms } = stores.store;
      const made = room("rooms-one", { title: "One", retentionEntries: 5 });
      assert.deepEqual(await rooms.create(made), { room: made, created: true });
      assert.deepEqual(await stores.second.rooms.find(["absent", "rooms-one"]), [null, made]);
      const changed = await rooms.change("rooms-one", {
        closed: true,
        title: null,
        visibility: "private",
        receipts: true,
      });
      const expected = { ...made, closed: true, title: null, visibility: "private", receipts: true, version: 2 };
      assert.deepEqual(changed, expected);
      assert.deepEqual(await stores.second.rooms.find(["rooms-one"]), [expected]);
      const again = await rooms.change("rooms-one", { retentionMs: 2 ** 40, retentionEntries: null });
      assert.deepEqual(again, { ...expected, retentionMs: 2 ** 40, retentionEntries: null, version: 3 });
      assert.equal(await rooms.change("absent", { closed: true }), null);
      assert.equal(await rooms.delete("rooms-one"), true);
      assert.equal(await stores.second.rooms.delete("rooms-one"), false);
      assert.deepEqual(await stores.second.rooms.find(["rooms-one"]), [null]);
    });

    test("of two that make the same room, one does, and both get the same", async () => {
      for (let i = 0; i < 20; i++) {
        const both = await Promise.all(
          [stores.store, stores.second].map(({ rooms }) => rooms.create(room(`rooms-race-${i}`))),
        );
        assert.deepEqual(both.map((answer) => answer.created).sort(), [false, true]);
        assert.deepEqual(both[0]!.room, both[1]!.room);
      }
    });

    test("changes made at once by two all count in the version", async () => {
      await stores.store.rooms.create(room("rooms-versions"));
      const twenty = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? stores.store : stores.second));
      await Promise.all(twenty.map(({ rooms }, i) => rooms.change("rooms-versions", { closed: i % 3 === 0 })));
      assert.equal((await stores.store.rooms.find(["rooms-versions"]))[0]?.version, 21);
    });

    test("odd names are different rooms, listed by code point, page by page", async () => {
      const { rooms } = stores.store;
      const made = oddNames.map((name) => room(`odd ${name}`.slice(0, 128), { title: name }));
      await Promise.all(made.map((record) => rooms.create(record)));
      assert.deepEqual(await stores.second.rooms.find(made.map((record) => record.name)), made);
      const names: string[] = [];
      for (let after = "odd "; ; ) {
        const page = await stores.second.rooms.list({ after, limit: 5 });
        names.push(...page.map((record) => record.name).filter((name) => name.startsWith("odd ")));
        if (page.length < 5) break;
        after = page.at(-1)!.name;
      }
      assert.deepEqual(names, made.map((record) => record.name).sort(byCodePoint));
    });

    test("list without a bound begins with the first name", async () => {
      await stores.store.rooms.create(room("\u0001 the very first"));
      assert.equal((await stores.store.rooms.list({ after: null, limit: 1 }))[0]?.name, "\u0001 the very first");
    });

    test("withRetention answers the rooms with a rule and no others", async () => {
      const { rooms } = stores.store;
      const byAge = room("kept-age", { retentionMs: 1_000 });
      const byCount = room("kept-count", { retentionEntries: 10 });
      for (const record of [byAge, byCount, room("kept-none")]) await rooms.create(record);
      const kept = async () => (await rooms.withRetention()).filter((record) => record.name.startsWith("kept-"));
      assert.deepEqual(await kept(), [byAge, byCount]);
      await rooms.change("kept-age", { retentionMs: null });
      assert.deepEqual(await kept(), [byCount]);
    });

    test("a room made again under an old name shares nothing with the old one", async () => {
      const { rooms, log } = stores.store;
      const old = await roomWith(stores.store, entries(1, 1_200));
      await rooms.putMember(old.key, "ada", { role: "owner" }, 1);
      await rooms.markRead(old.key, "ada", 5, 5);
      assert.equal(await rooms.delete(old.name), true);
      const made = room(old.name);
      assert.equal((await rooms.create(made)).created, true);
      for (const store of [stores.store, stores.second]) {
        assert.deepEqual(await store.log.heads([made.key]), [{ seq: 0, count: 0, start: 1 }]);
        assert.deepEqual(await store.log.readAfter(made.key, 0, 10), []);
        assert.deepEqual(await store.log.find(made.key, [entry(1)]), [null]);
        assert.equal(await store.rooms.member(made.key, "ada"), null);
        assert.equal(await store.rooms.countMembers(made.key), 0);
        assert.deepEqual(await store.rooms.unread([{ key: made.key, user: "ada" }]), [0]);
        const theirs = await store.rooms.roomsOf("ada", all);
        assert.ok(!theirs.some((membership) => membership.room.name === old.name));
      }
      assert.deepEqual(await log.append([{ key: made.key, entries: [entry(1)] }]), ["appended"]);
      assert.deepEqual(await log.append([{ key: old.key, entries: [entry(1_201)] }]), ["conflict"]);
    });

    test("a deleted room's log is gone in the end", async () => {
      const { key, name } = await roomWith(stores.store, entries(1, 3_000));
      await stores.store.rooms.delete(name);
      // It goes bit by bit; asking for the time it takes is all that the port lets us do.
      while ((await stores.store.log.heads([key]))[0]?.seq !== 0)
        await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(await stores.second.log.readAfter(key, 0, 10), []);
    });
  });

  describe("members", () => {
    test("a record is made with the defaults, changed, and tells whether it was one before", async () => {
      const { key } = await roomWith(stores.store);
      const { rooms } = stores.store;
      assert.equal(await rooms.member(key, "ada"), null);
      assert.deepEqual(await rooms.putMember(key, "ada", {}, 50), { member: plain("ada", 50), wasMember: false });
      const owner = plain("ada", 50, { role: "owner" });
      assert.deepEqual(await rooms.putMember(key, "ada", { role: "owner" }, 60), { member: owner, wasMember: true });
      assert.deepEqual(await stores.second.rooms.member(key, "ada"), owner);
      assert.deepEqual(await rooms.putMember(key, "ada", { mutedUntilMs: 2 ** 50 }, 70), {
        member: { ...owner, mutedUntilMs: 2 ** 50 },
        wasMember: true,
      });
      const reader = await rooms.markRead(key, "ada", 3, 2);
      assert.deepEqual(reader, { seq: 3, count: 2 });
      const kept = await rooms.putMember(key, "ada", { mutedUntilMs: 0 }, 80);
      assert.deepEqual(kept.member, { ...owner, lastRead: 3, lastReadCount: 2 });
    });

    test("somebody banned without being a member is no member", async () => {
      const { key } = await roomWith(stores.store);
      const { rooms } = stores.store;
      const banned = await rooms.putMember(key, "eve", { member: false, banned: true }, 5);
      assert.deepEqual(banned, { member: plain("eve", 5, { member: false, banned: true }), wasMember: false });
      assert.equal(await rooms.countMembers(key), 0);
      assert.deepEqual(await rooms.members(key, all), []);
      assert.deepEqual(await rooms.exceptions(key), [banned.member]);
      assert.deepEqual(await rooms.roomsOf("eve", all), []);
      const joined = await rooms.putMember(key, "eve", { member: true, banned: false }, 9);
      assert.deepEqual(joined, { member: plain("eve", 9), wasMember: false });
      assert.deepEqual(await rooms.exceptions(key), []);
    });

    test("leaving ends the membership; a ban or a mute stays, role and read mark do not", async () => {
      const { key } = await roomWith(stores.store);
      const { rooms } = stores.store;
      await rooms.putMember(key, "ada", {}, 1);
      assert.equal(await rooms.removeMember(key, "ada"), true);
      assert.equal(await rooms.removeMember(key, "ada"), false);
      assert.equal(await stores.second.rooms.member(key, "ada"), null);
      for (const change of [{ banned: true }, { mutedUntilMs: 99 }]) {
        await rooms.putMember(
          key,
          "bob",
          { member: true, role: "moderator", banned: false, mutedUntilMs: 0, ...change },
          2,
        );
        await rooms.markRead(key, "bob", 4, 4);
        assert.equal(await rooms.removeMember(key, "bob"), true);
        assert.deepEqual(await rooms.member(key, "bob"), plain("bob", 2, { member: false, ...change }));
        assert.equal(await rooms.removeMember(key, "bob"), false);
        await rooms.putMember(key, "bob", { member: false, banned: false, mutedUntilMs: 0 }, 3);
        await rooms.removeMember(key, "bob");
        assert.equal(await rooms.member(key, "bob"), null);
      }
    });

    test("members ascend by code point and page, odd ids too", async () => {
      const { key } = await roomWith(stores.store);
      const { rooms } = stores.store;
      await Promise.all(oddNames.map((user) => rooms.putMember(key, user, {}, 7)));
      await rooms.putMember(key, "zz-banned", { member: false, banned: true }, 7);
      assert.equal(await rooms.countMembers(key), oddNames.length);
      const seen: string[] = [];
      for (let after: string | null = null; ; after = seen.at(-1)!) {
        const page = await stores.second.rooms.members(key, { after, limit: 4 });
        if (page.length === 0) break;
        seen.push(...page.map((record) => record.user));
      }
      assert.deepEqual(seen, [...oddNames].sort(byCodePoint));
    });

    test("exceptions answers roles, mutes and bans", async () => {
      const { key } = await roomWith(stores.store);
      const { rooms } = stores.store;
      await rooms.putMember(key, "a-owner", { role: "owner" }, 1);
      await rooms.putMember(key, "b-muted", { mutedUntilMs: 5 }, 1);
      await rooms.putMember(key, "c-banned", { banned: true, member: false }, 1);
      await rooms.putMember(key, "d-plain", {}, 1);
      assert.deepEqual((await rooms.exceptions(key)).map((record) => record.user).sort(), [
        "a-owner",
        "b-muted",
        "c-banned",
      ]);
    });

    test("roomsOf answers a user's rooms by name, page by page, with the member's record", async () => {
      const { rooms } = stores.store;
      const user = `roomy-${randomKey()}`;
      const names = ["r-c", "r-a", "r-😀", "r-\uffff", "r-b"].map((name) => `${name} ${user}`);
      for (const name of names) {
        const { room: made } = await rooms.create(room(name, { title: name }));
        await rooms.putMember(made.key, user, {}, 3);
        await rooms.putMember(made.key, "somebody else", {}, 3);
      }
      const sorted = [...names].sort(byCodePoint);
      const first = await stores.second.rooms.roomsOf(user, { after: null, limit: 2 });
      assert.deepEqual(
        first.map((m) => [m.room.title, m.member.user]),
        sorted.slice(0, 2).map((name) => [name, user]),
      );
      const rest = await stores.second.rooms.roomsOf(user, { after: sorted[1]!, limit: 10 });
      assert.deepEqual(
        rest.map((m) => m.room.name),
        sorted.slice(2),
      );
    });

    test("joining a room that is deleted meanwhile leaves nothing behind", async () => {
      const { key, name } = await roomWith(stores.store);
      await stores.store.rooms.delete(name);
      await stores.second.rooms.putMember(key, "late", {}, 1);
      assert.equal(await stores.store.rooms.member(key, "late"), null);
      assert.deepEqual(await stores.store.rooms.roomsOf("late", all), []);
    });

    test("a read mark only goes forward, and only for members", async () => {
      const { key } = await roomWith(stores.store, entries(1, 10));
      const { rooms } = stores.store;
      assert.equal(await rooms.markRead(key, "ada", 3, 3), null);
      await rooms.putMember(key, "ada", {}, 1);
      assert.deepEqual(await rooms.markRead(key, "ada", 3, 3), { seq: 3, count: 3 });
      assert.deepEqual(await stores.second.rooms.markRead(key, "ada", 2, 2), { seq: 3, count: 3 });
      assert.deepEqual(await stores.second.rooms.markRead(key, "ada", 9, 9), { seq: 9, count: 9 });
      await rooms.putMember(key, "eve", { member: false, banned: true }, 1);
      assert.equal(await rooms.markRead(key, "eve", 3, 3), null);
    });
  });
}
