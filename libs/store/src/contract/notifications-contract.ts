import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NotificationRecord } from "../notifications.ts";
import { oddNames, uniqueId } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

function notification(changes: Partial<NotificationRecord> = {}): NotificationRecord {
  const id = uniqueId("n");
  return {
    id,
    user: "ada",
    kind: "mention",
    title: "Bob mentioned you",
    body: "in board-1",
    data: null,
    dedupeKey: `key of ${id}`,
    status: "waiting",
    plan: "[]",
    count: 1,
    position: null,
    readAtMs: null,
    createdAtMs: 1_760_000_000_000,
    sentAtMs: null,
    dueAtMs: null,
    version: 1,
    ...changes,
  };
}

export function notificationsContract(stores: ContractStores): void {
  describe("notifications", () => {
    test("[N1] a notification is kept as it was, also with odd users, keys and texts", async () => {
      for (const odd of oddNames) {
        const record = notification({
          user: odd,
          title: odd,
          body: odd,
          data: JSON.stringify({ odd }),
          dedupeKey: odd,
        });
        assert.deepEqual(await stores.store.notifications.create(record), { record, created: true });
        assert.deepEqual(await stores.second.notifications.find(record.id), record);
        assert.deepEqual(await stores.second.notifications.findByKey(odd, odd), record);
      }
      assert.equal(await stores.store.notifications.find("absent"), null);
      assert.equal(await stores.store.notifications.findByKey("plain", "absent"), null);
    });

    test("of many at once under one key one is stored; another user's key is another key", async () => {
      const dedupeKey = uniqueId("key");
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          (i % 2 ? stores.store : stores.second).notifications.create(notification({ dedupeKey, body: `${i}` })),
        ),
      );
      assert.equal(answers.filter(({ created }) => created).length, 1);
      for (const { record } of answers) assert.deepEqual(record, answers[0]!.record);
      const other = await stores.store.notifications.create(notification({ dedupeKey, user: "bob" }));
      assert.equal(other.created, true);
    });

    test("a change needs the version it was thought of at", async () => {
      const record = notification();
      await stores.store.notifications.create(record);
      const changes = { title: "2 mentions", count: 2, status: "sent", sentAtMs: 7, data: "{}" } as const;
      const changed = await stores.second.notifications.change(record.id, 1, changes);
      assert.deepEqual(changed, { ...record, ...changes, version: 2 });
      assert.equal(await stores.store.notifications.change(record.id, 1, { count: 9 }), null);
      assert.deepEqual(await stores.store.notifications.find(record.id), changed);
    });

    test("the list descends by position, holds what has one, and is counted and read", async () => {
      const { notifications } = stores.store;
      const user = uniqueId("user");
      for (const position of ["b", "a", "d", "c"]) {
        await notifications.create(notification({ user, position, title: position, status: "sent" }));
      }
      await notifications.create(notification({ user, title: "not told yet" }));
      await notifications.create(notification({ user: "somebody else", position: "e" }));
      const titles = async (before: string | null, limit: number, unreadOnly = false) =>
        (await stores.second.notifications.list(user, { before, limit, unreadOnly })).map(({ title }) => title);
      assert.deepEqual(await titles(null, 10), ["d", "c", "b", "a"]);
      assert.deepEqual(await titles("c", 1), ["b"]);
      assert.equal(await notifications.unread(user), 4);

      const [newest] = await notifications.list(user, { before: null, limit: 1, unreadOnly: false });
      assert.equal(await notifications.markRead(user, newest!.id, 50), 1);
      assert.equal(await stores.second.notifications.markRead(user, newest!.id, 60), 0);
      assert.equal(await notifications.markRead("somebody else", newest!.id, 60), 0);
      assert.deepEqual(await notifications.find(newest!.id), {
        ...newest!,
        readAtMs: 50,
        version: newest!.version + 1,
      });
      assert.deepEqual(await titles(null, 10, true), ["c", "b", "a"]);
      assert.deepEqual(await titles("c", 10, true), ["b", "a"]);
      assert.equal(await stores.second.notifications.unread(user), 3);
      assert.equal(await notifications.markRead(user, null, 70), 3);
      assert.equal(await stores.second.notifications.unread(user), 0);
      assert.equal((await titles(null, 10)).length, 4);
    });

    test("those of a kind and status descend by id", async () => {
      const user = uniqueId("user");
      for (const id of ["1", "3", "2"])
        await stores.store.notifications.create(notification({ user, id: `${user}-${id}` }));
      await stores.store.notifications.create(notification({ user, kind: "timer" }));
      await stores.store.notifications.create(notification({ user, status: "sent" }));
      const found = await stores.second.notifications.ofKind(user, "mention", "waiting", 2);
      assert.deepEqual(
        found.map(({ id }) => id),
        [`${user}-3`, `${user}-2`],
      );
    });

    test("all of a user's come by id, page by page, whatever their state", async () => {
      const user = uniqueId("user");
      const mine = (["waiting", "sent", "cancelled", "digested"] as const).map((status, i) =>
        notification({ user, status, id: `${user}-${i}`, position: i % 2 ? `${i}` : null }),
      );
      for (const record of [...mine.toReversed(), notification()]) await stores.store.notifications.create(record);
      const first = await stores.second.notifications.allOf(user, { after: null, limit: 3 });
      assert.deepEqual(first, mine.slice(0, 3));
      const rest = await stores.second.notifications.allOf(user, { after: first[2]!.id, limit: 3 });
      assert.deepEqual(rest, mine.slice(3));
    });

    test("what is due comes longest due first; old ones go once nothing is left to do", async () => {
      const { notifications } = stores.store;
      const due = [20, 10].map((ms) => notification({ dueAtMs: ms, createdAtMs: 5, status: "failed" }));
      for (const record of [...due, notification({ dueAtMs: 31 })]) await notifications.create(record);
      const found = await stores.second.notifications.due(30, { after: null, limit: 10 });
      assert.deepEqual(
        found.map(({ dueAtMs }) => dueAtMs),
        [10, 20],
      );
      const after = { dueAtMs: 10, id: due[1]!.id };
      assert.deepEqual(await notifications.due(30, { after, limit: 1 }), [due[0]]);
      assert.equal(await notifications.count("failed"), 2);
      assert.equal(await notifications.removeOld(10, 100), 0);
      for (const { id } of due) await notifications.change(id, 1, { dueAtMs: null });
      assert.equal(await notifications.removeOld(10, 1), 1);
      assert.equal(await notifications.removeOld(10, 100), 1);
      assert.equal(await stores.second.notifications.count("failed"), 0);
    });

    test("preferences are made, replaced, and found by phone", async () => {
      const { notifications } = stores.store;
      const phone = "+15550177777";
      assert.equal(await notifications.preferences("pref-ada"), null);
      await notifications.putPreferences({ user: "pref-bob", phone, body: "{}" });
      await notifications.putPreferences({ user: "pref-ada", phone, body: "{}" });
      assert.deepEqual(await stores.second.notifications.usersWithPhone(phone, 10), ["pref-ada", "pref-bob"]);
      assert.deepEqual(await stores.second.notifications.usersWithPhone(phone, 1), ["pref-ada"]);
      const changed = { user: "pref-ada", phone: null, body: '{"muted":["$set.x"]}' };
      await stores.second.notifications.putPreferences(changed);
      assert.deepEqual(await notifications.preferences("pref-ada"), changed);
      assert.deepEqual(await notifications.usersWithPhone(phone, 10), ["pref-bob"]);
    });

    test("forget removes all of one user's, and nobody else's", async () => {
      const { notifications } = stores.store;
      for (const who of ["forget-ada", "forget-bob"]) {
        await notifications.putPreferences({ user: who, phone: "+15550188888", body: "{}" });
      }
      await notifications.forget("forget-ada");
      assert.equal(await stores.second.notifications.preferences("forget-ada"), null);
      assert.deepEqual(await notifications.usersWithPhone("+15550188888", 10), ["forget-bob"]);
      await notifications.forget("forget-nobody");
    });
  });
}
