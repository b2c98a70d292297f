import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { oddNames, room, user } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

export function usersContract(stores: ContractStores): void {
  describe("users", () => {
    test("a user is made, replaced and found, in the order asked for", async () => {
      const { users } = stores.store;
      const ada = user("u-ada", { info: '{"team":"blue"}' });
      await users.put(ada);
      await users.put(user("u-bob"));
      assert.deepEqual(await stores.second.users.find(["u-bob", "nobody", "u-ada"]), [user("u-bob"), null, ada]);
      const renamed = { ...ada, name: "Ada L.", info: null, guest: true, createdAtMs: 900, lastSeenAtMs: 8_000 };
      await users.put(renamed);
      assert.deepEqual(await stores.second.users.find(["u-ada"]), [renamed]);
      assert.deepEqual(await users.find([]), []);
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
