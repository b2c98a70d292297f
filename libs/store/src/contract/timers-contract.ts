import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RoomRecord } from "../rooms.ts";
import type { TimerRecord } from "../timers.ts";
import { byCodePoint, oddNames, randomKey, room, uniqueId } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

function timer(of: RoomRecord, changes: Partial<TimerRecord> = {}): TimerRecord {
  return {
    room: of.name,
    key: of.key,
    partition: 7,
    state: "stopped",
    durationMs: 1_500_000,
    remainingMs: 1_500_000,
    endsAtMs: null,
    endedAtMs: null,
    settings: "{}",
    version: 1,
    ...changes,
  };
}

export function timersContract(stores: ContractStores): void {
  const made = async (name = uniqueId("timer room")): Promise<RoomRecord> => {
    const record = room(name);
    await stores.store.rooms.create(record);
    return record;
  };

  describe("timers", () => {
    test("[T1] a timer is kept as it was, in rooms of any name", async () => {
      for (const name of oddNames) {
        const { room: of } = await stores.store.rooms.create(room(name));
        const stopped = timer(of, { settings: JSON.stringify({ [name]: name }) });
        assert.equal(await stores.store.timers.put(stopped), true);
        assert.deepEqual(await stores.second.timers.find([name]), [stopped]);
        const running = timer(of, { state: "running", endsAtMs: 2 ** 52, endedAtMs: 1, remainingMs: 5, version: 2 });
        assert.equal(await stores.second.timers.put(running), true);
        assert.deepEqual(await stores.store.timers.find(["absent", name]), [null, running]);
      }
      assert.deepEqual(await stores.store.timers.find([]), []);
    });

    test("[T2] a change needs the version before it: of twenty at once one happens", async () => {
      const of = await made();
      const makers = Array.from({ length: 20 }, (_, i) => timer(of, { settings: `{"by":${i}}` }));
      const answers = await Promise.all(
        makers.map((record, i) => (i % 2 ? stores.store : stores.second).timers.put(record)),
      );
      assert.equal(answers.filter(Boolean).length, 1);
      assert.deepEqual(await stores.store.timers.find([of.name]), [makers[answers.indexOf(true)]]);
      const changes = makers.map((record, i) => ({ ...record, version: 2, remainingMs: i }));
      const changed = await Promise.all(
        changes.map((record, i) => (i % 2 ? stores.store : stores.second).timers.put(record)),
      );
      assert.equal(changed.filter(Boolean).length, 1);
      assert.deepEqual(await stores.second.timers.find([of.name]), [changes[changed.indexOf(true)]]);
      assert.equal(await stores.store.timers.put(timer(of, { version: 4 })), false);
      assert.equal(await stores.store.timers.put(timer(of, { version: 2 })), false);
    });

    test("[T2] several changes are stored as one, from the version that they began with and no other", async () => {
      const of = await made();
      assert.equal(await stores.store.timers.put(timer(of, { version: 3 }), 1), false);
      assert.equal(await stores.store.timers.put(timer(of, { version: 3 }), 0), true);
      assert.equal(await stores.second.timers.put(timer(of, { version: 6 }), 0), false);
      assert.equal(await stores.second.timers.put(timer(of, { version: 6 }), 5), false);
      assert.equal(await stores.second.timers.put(timer(of, { version: 6 }), 3), true);
      assert.deepEqual(await stores.store.timers.find([of.name]), [timer(of, { version: 6 })]);
    });

    test("a timer goes with its room; one of an earlier room of the name is as good as none", async () => {
      const old = await made();
      await stores.store.timers.put(timer(old, { state: "running", endsAtMs: 9e15, partition: 201 }));
      await stores.store.rooms.delete(old.name);
      assert.deepEqual(await stores.second.timers.find([old.name]), [null]);
      assert.deepEqual(await stores.second.timers.active([201], 0), []);
      assert.equal(await stores.second.timers.put(timer(old, { version: 2 })), false);
      assert.equal(await stores.second.timers.put(timer(old)), false);
      const again = await made(old.name);
      assert.equal(await stores.store.timers.put(timer(old, { version: 2 })), false);
      assert.equal(await stores.store.timers.put(timer(again)), true);
      assert.deepEqual(await stores.second.timers.find([old.name]), [timer(again)]);
      assert.equal(await stores.store.timers.put(timer({ ...again, name: uniqueId("no room") })), false);
      assert.equal(await stores.store.timers.put(timer({ ...again, key: randomKey() })), false);
    });

    test("those that run, or ended lately, are found by partition", async () => {
      const put = async (changes: Partial<TimerRecord>) => {
        const record = timer(await made(), changes);
        assert.equal(await stores.store.timers.put(record), true);
        return record;
      };
      const running = { state: "running", endsAtMs: 3_000 } as const;
      const found = [
        await put({ ...running, partition: 210 }),
        await put({ ...running, partition: 211, endedAtMs: 5 }),
        await put({ state: "finished", remainingMs: 0, partition: 210, endedAtMs: 1_000 }),
        await put({ state: "stopped", partition: 211, endedAtMs: 1_001 }),
      ];
      await put({ state: "finished", remainingMs: 0, partition: 210, endedAtMs: 999 });
      await put({ partition: 210 });
      await put({ ...running, partition: 212 });
      const byRoom = (records: TimerRecord[]) => records.sort((a, b) => byCodePoint(a.room, b.room));
      assert.deepEqual(byRoom(await stores.second.timers.active([210, 211], 1_000)), byRoom(found));
      assert.deepEqual(await stores.second.timers.active([213], 0), []);
      assert.deepEqual(await stores.second.timers.active([], 0), []);
    });

    test("timers are listed by room, page by page", async () => {
      const prefix = uniqueId("zz-listed");
      const names = ["c", "a", "😀", "\uffff", "b"].map((end) => `${prefix} ${end}`);
      for (const name of names) await stores.store.timers.put(timer(await made(name)));
      const listed: string[] = [];
      for (let after: string = prefix; listed.length < names.length; after = listed.at(-1)!) {
        const page = await stores.second.timers.list({ after, limit: 2 });
        listed.push(...page.map((record) => record.room));
      }
      assert.deepEqual(listed.slice(0, names.length), [...names].sort(byCodePoint));
      assert.equal((await stores.store.timers.list({ after: null, limit: 1 })).length, 1);
    });
  });
}
