import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { oddNames, room, user } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

export function usersContract(stores: ContractStores): void {
  describe("users", () => {
    test("a user is made, replaced and found, in the order asked for", async () => {
      const { users } = stores.store;
      const ada = user("u-ada", {
        info: '{"team":"blue"}',
        avatarColor: "#7c3aed",
        phone: "+491701234567",
        email: "ada@example.org",
      });
      await users.put(ada);
      await users.put(user("u-bob"));
      assert.deepEqual(await stores.second.users.find(["u-bob", "nobody", "u-ada"]), [user("u-bob"), null, ada]);
      const renamed = { ...ada, name: "Ada L.", info: null, guest: true, createdAtMs: 900, lastSeenAtMs: 8_000 };
      await users.put(renamed);
      assert.deepEqual(await stores.second.users.find(["u-ada"]), [renamed]);
      assert.deepEqual(await users.find([]), []);
    });

    test("create makes a user once; whoever comes second gets the first one", async () => {
      const ada = user("u-created", { email: "ada@example.org" });
      const [one, two] = await Promise.all([
        stores.store.users.create(ada),
        stores.second.users.create({ ...ada, email: "other@example.org" }),
      ]);
      assert.equal([one.created, two.created].filter(Boolean).length, 1);
      assert.deepEqual(one.user, two.user);
      assert.deepEqual((await stores.second.users.find(["u-created"]))[0], one.user);
    });

    test("change touches what it names alone: a guest becomes a user and keeps id and rooms; an absent one is null", async () => {
      const { users, rooms } = stores.store;
      const guest = user("u-changing", { guest: true, info: '{"from":"fair"}', phone: "+4915112345678" });
      const made = room("changing-room");
      await users.put(guest);
      await rooms.create(made);
      await rooms.putMember(made.key, guest.id, {}, 1);
      const changed = { ...guest, guest: false, name: "Grace", email: "grace@example.org", info: null };
      assert.deepEqual(
        await users.change(guest.id, { guest: false, name: "Grace", email: "grace@example.org", info: null }),
        changed,
      );
      assert.deepEqual(await users.change(guest.id, {}), changed);
      assert.deepEqual(await stores.second.users.find([guest.id]), [changed]);
      assert.equal(await users.change("u-nobody", { name: "N" }), null);
      assert.deepEqual(await users.find(["u-nobody"]), [null]);
      assert.deepEqual(await users.removeStaleGuests(2_001, 1_000), []);
      assert.equal((await rooms.roomsOf(guest.id, { after: null, limit: 10 })).length, 1);
    });

    test("odd ids and names come back as they were", async () => {
      const list = oddNames.map((name) => user(name, { name, info: JSON.stringify({ [name]: name }) }));
      await Promise.all(list.map((record) => stores.store.users.put(record)));
      assert.deepEqual(await stores.second.users.find(oddNames), list);
    });

    test("touch moves lastSeenAtMs forward only, and makes nobody", async () => {
      const { users } = stores.store;
      await users.put(user("u-touch", { lastSeenAtMs: 500 }));
      await users.touch(["u-touch", "u-absent"], 900);
      await users.touch(["u-touch"], 700);
      assert.deepEqual(await users.find(["u-touch", "u-absent"]), [user("u-touch", { lastSeenAtMs: 900 }), null]);
    });

    test("stale guests go with their memberships, at most `limit`; users and fresh guests stay", async () => {
      const { users, rooms } = stores.store;
      const made = room("stale-guests-room");
      await rooms.create(made);
      const list = [
        ...[1, 2, 3, 4, 5].map((n) => user(`stale-${n}`, { guest: true, lastSeenAtMs: 100 + n })),
        user("stale-fresh", { guest: true, lastSeenAtMs: 200 }),
        user("stale-user", { guest: false, lastSeenAtMs: 1 }),
      ];
      for (const record of list) {
        await users.put(record);
        await rooms.putMember(made.key, record.id, {}, 1);
      }
      const removed: string[] = [];
      for (let ids = [""]; ids.length > 0; removed.push(...ids)) {
        ids = await users.removeStaleGuests(200, 2);
        assert.ok(ids.length <= 2);
      }
      assert.deepEqual(removed.sort(), ["stale-1", "stale-2", "stale-3", "stale-4", "stale-5"]);
      assert.deepEqual(
        (await users.find(list.map((record) => record.id))).map((record) => record?.id ?? null),
        [null, null, null, null, null, "stale-fresh", "stale-user"],
      );
      const members = await stores.second.rooms.members(made.key, { after: null, limit: 10 });
      assert.deepEqual(
        members.map((record) => record.user),
        ["stale-fresh", "stale-user"],
      );
      assert.deepEqual(await rooms.roomsOf("stale-1", { after: null, limit: 10 }), []);
    });
  });

  test("ping answers while the store can be written to", async () => {
    await stores.store.ping();
    await stores.second.ping();
  });
}
