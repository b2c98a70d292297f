import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NewEntry, StoredEntry } from "../room-log.ts";
import type { RoomRecord } from "../rooms.ts";
import type { Store } from "../store.ts";
import { entries, entry, oddNames, randomKey, room } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

/** A room with `log` in it. */
export async function roomWith(store: Store, log: NewEntry[] = []): Promise<RoomRecord> {
  const made = room(`log-${randomKey()}`);
  await store.rooms.create(made);
  for (let i = 0; i < log.length; i += 2_000) {
    assert.deepEqual(await store.log.append([{ key: made.key, entries: log.slice(i, i + 2_000) }]), ["appended"]);
  }
  return made;
}

const stored = (e: NewEntry): StoredEntry => ({ ...e, deleted: false });
const seqs = (rows: { seq: number }[]): number[] => rows.map((row) => row.seq);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

export function logContract(stores: ContractStores): void {
  describe("appending", () => {
    test("an empty log has the head {0, 0, 1}, also of a key that nobody knows", async () => {
      const { key } = await roomWith(stores.store);
      const none = { seq: 0, count: 0, start: 1 };
      assert.deepEqual(await stores.store.log.heads([key, randomKey()]), [none, none]);
      assert.deepEqual(await stores.store.log.heads([]), []);
      assert.deepEqual(await stores.store.log.append([]), []);
    });

    test("[R1] what is appended is there, for the other store too", async () => {
      const { key } = await roomWith(stores.store, entries(1, 3));
      for (const { log } of [stores.store, stores.second]) {
        assert.deepEqual(await log.heads([key]), [{ seq: 3, count: 3, start: 1 }]);
        assert.deepEqual(await log.get(key, 2), stored(entry(2)));
        assert.equal(await log.get(key, 4), null);
        assert.deepEqual(
          await log.readAfter(key, 0, 10),
          entries(1, 3).map(({ seq, body }) => ({ seq, body })),
        );
      }
    });

    test("[R2] a seq that is taken, skips or comes backwards is a conflict, and nothing of it is stored", async () => {
      const { key } = await roomWith(stores.store, entries(1, 3));
      const fresh = (seq: number): NewEntry => entry(seq, { clientMessageId: `fresh-${seq}` });
      for (const wrong of [
        [fresh(3)],
        [fresh(1)],
        [fresh(5)],
        [fresh(3), fresh(4)],
        [fresh(4), fresh(6)],
        [fresh(4), fresh(4)],
        [fresh(5), fresh(4)],
      ]) {
        const outcome = await stores.store.log.append([{ key, entries: wrong }]);
        assert.deepEqual(outcome, ["conflict"], `seqs ${seqs(wrong)} after head 3`);
      }
      assert.deepEqual(await stores.store.log.heads([key]), [{ seq: 3, count: 3, start: 1 }]);
      const ids = [4, 5, 6].map((seq) => ({ sender: "ada", clientMessageId: `fresh-${seq}` }));
      assert.deepEqual(await stores.store.log.find(key, ids), [null, null, null]);
    });

    test("[R3] a clientMessageId that is there already is a conflict, for the same sender in the same room only", async () => {
      const { key } = await roomWith(stores.store, entries(1, 2));
      const other = await roomWith(stores.store);
      const append = (roomKey: number, ...list: NewEntry[]) =>
        stores.second.log.append([{ key: roomKey, entries: list }]);
      assert.deepEqual(await append(key, entry(3, { clientMessageId: "id-1" })), ["conflict"]);
      assert.deepEqual(await append(key, entry(3), entry(4, { clientMessageId: "id-2" })), ["conflict"]);
      assert.deepEqual(await append(key, entry(3), entry(4, { clientMessageId: "id-3" })), ["conflict"]);
      assert.deepEqual(await append(key, entry(3, { clientMessageId: "id-1", sender: "bob" })), ["appended"]);
      assert.deepEqual(await append(other.key, entry(1)), ["appended"]);
      assert.deepEqual(await stores.store.log.heads([key]), [{ seq: 3, count: 3, start: 1 }]);
    });

    test("each room's append stands or falls alone, with outcomes in order", async () => {
      const rooms = await Promise.all(range(1, 6).map(() => roomWith(stores.store, entries(1, 2))));
      const appends = rooms.map(({ key }, i) => ({ key, entries: i % 2 === 0 ? entries(3, 4) : entries(4, 5) }));
      const expected = rooms.map((_, i) => (i % 2 === 0 ? "appended" : "conflict"));
      assert.deepEqual(await stores.store.log.append(appends), expected);
      const heads = await stores.store.log.heads(rooms.map(({ key }) => key));
      assert.deepEqual(seqs(heads), [4, 2, 4, 2, 4, 2]);
    });

    test("one call may append to a room twice; the second follows the first", async () => {
      const { key } = await roomWith(stores.store);
      const outcomes = await stores.store.log.append([
        { key, entries: entries(1, 2) },
        { key, entries: entries(2, 3) },
        { key, entries: entries(3, 3) },
        { key, entries: [entry(4, { clientMessageId: "id-1" })] },
      ]);
      assert.deepEqual(outcomes, ["appended", "conflict", "appended", "conflict"]);
      assert.deepEqual(await stores.store.log.heads([key]), [{ seq: 3, count: 3, start: 1 }]);
    });

    test("calls made without waiting end in the order in which they were made", async () => {
      const { key } = await roomWith(stores.store);
      const ended: number[] = [];
      await Promise.all(
        range(1, 100).map(async (seq) => {
          assert.deepEqual(await stores.store.log.append([{ key, entries: [entry(seq)] }]), ["appended"]);
          ended.push(seq);
        }),
      );
      assert.deepEqual(ended, range(1, 100));
    });

    test("a room that was deleted, or never was, is a conflict", async () => {
      const { key, name } = await roomWith(stores.store, entries(1, 2));
      assert.equal(await stores.second.rooms.delete(name), true);
      const outcomes = await stores.store.log.append([
        { key, entries: entries(3, 3) },
        { key, entries: entries(1, 1) },
        { key: randomKey(), entries: entries(1, 1) },
      ]);
      assert.deepEqual(outcomes, ["conflict", "conflict", "conflict"]);
    });

    test("odd senders, ids, bodies and the edges of numbers come back as they were", async () => {
      const { key } = await roomWith(stores.store);
      const list = oddNames.map((name, i) =>
        entry(i + 1, {
          sender: name,
          clientMessageId: `${name.slice(0, 20)}!`,
          body: JSON.stringify({ text: `${name}\u0000\u2028\n`, nested: { $gt: [null, name] } }),
          digest: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0, -1, 2 ** 31, 2 ** 32][i % 6]!,
          atMs: [0, 1, 8_640_000_000_000_000, 2 ** 32][i % 4]!,
        }),
      );
      assert.deepEqual(await stores.store.log.append([{ key, entries: list }]), ["appended"]);
      for (const e of list) assert.deepEqual(await stores.second.log.get(key, e.seq), stored(e));
      const found = await stores.second.log.find(key, list);
      assert.deepEqual(
        found,
        list.map(({ seq, digest, atMs }) => ({ seq, digest, atMs })),
      );
    });

    test("every kind, and its target, comes back", async () => {
      const list = [
        entry(1),
        entry(2, { kind: "edited", target: 1, count: 1 }),
        entry(3, { kind: "reacted", target: 1, count: 1 }),
        entry(4, { kind: "system", count: 1 }),
        entry(5, { kind: "deleted", target: 1, count: 1 }),
      ];
      const { key } = await roomWith(stores.store, list);
      for (const e of list) assert.deepEqual(await stores.store.log.get(key, e.seq), stored(e));
      assert.deepEqual(await stores.store.log.heads([key]), [{ seq: 5, count: 1, start: 1 }]);
    });

    test("bodies from empty to 1 MiB come back", async () => {
      const bodies = ["{}", "x".repeat(1_000), "é".repeat(20_000), "😀".repeat(2 ** 18)];
      const { key } = await roomWith(
        stores.store,
        bodies.map((body, i) => entry(i + 1, { body })),
      );
      assert.deepEqual(
        (await stores.second.log.readAfter(key, 0, 10)).map((row) => row.body),
        bodies,
      );
    });
  });

  describe("reading", () => {
    test("100,000 entries page forwards and backwards with none missing or twice", async () => {
      const total = 100_000;
      const { key } = await roomWith(stores.store, entries(1, total));
      // Odd sizes, so that pages and what the store keeps together do not end at the same places.
      const [ahead, back] = stores.scans ? [33_333, 26_001] : [201, 499];
      const forwards: number[] = [];
      for (let after = 0; ; after = forwards.at(-1)!) {
        const page = await stores.second.log.readAfter(key, after, ahead);
        if (page.length === 0) break;
        forwards.push(...seqs(page));
      }
      assert.deepEqual(forwards, range(1, total));
      const pages: number[][] = [];
      for (let before: number | null = null; ; before = pages.at(-1)![0]!) {
        const page = await stores.second.log.readBefore(key, before, back);
        if (page.length === 0) break;
        pages.push(seqs(page));
      }
      assert.deepEqual(pages.reverse().flat(), range(1, total));
      assert.equal((await stores.second.log.readAfter(key, 19_999, 1))[0]?.body, entry(20_000).body);
      await stores.store.log.trim(key, total, total);
    });

    test("bounds exclude the seq they name, and limits hold", async () => {
      const { key } = await roomWith(stores.store, entries(1, 10));
      const { log } = stores.store;
      assert.deepEqual(seqs(await log.readAfter(key, 3, 2)), [4, 5]);
      assert.deepEqual(seqs(await log.readAfter(key, 9, 200)), [10]);
      assert.deepEqual(seqs(await log.readAfter(key, 10, 200)), []);
      assert.deepEqual(seqs(await log.readAfter(key, 99, 200)), []);
      assert.deepEqual(seqs(await log.readBefore(key, 4, 2)), [2, 3]);
      assert.deepEqual(seqs(await log.readBefore(key, 1, 2)), []);
      assert.deepEqual(seqs(await log.readBefore(key, null, 3)), [8, 9, 10]);
      assert.deepEqual(seqs(await log.readBefore(key, 99, 1)), [10]);
      assert.deepEqual(seqs(await log.readAfter(randomKey(), 0, 5)), []);
      assert.deepEqual(seqs(await log.readBefore(randomKey(), null, 5)), []);
    });

    test("find answers in the order asked for, with null where there is none", async () => {
      const { key } = await roomWith(stores.store, entries(1, 3));
      const ask = ["id-3", "nothing", "id-1", "id-3"].map((clientMessageId) => ({ sender: "ada", clientMessageId }));
      const found = await stores.store.log.find(key, ask);
      assert.deepEqual(
        found.map((row) => row?.seq ?? null),
        [3, null, 1, 3],
      );
      assert.deepEqual(found[0], { seq: 3, digest: 21, atMs: entry(3).atMs });
      assert.deepEqual(await stores.store.log.find(key, [{ sender: "bob", clientMessageId: "id-1" }]), [null]);
      assert.deepEqual(await stores.store.log.find(key, []), []);
    });
  });

  describe("editing and deleting", () => {
    test("editsOf answers the edits of one message, ascending, and nothing else", async () => {
      const list = [
        entry(1),
        entry(2),
        entry(3, { kind: "edited", target: 1 }),
        entry(4, { kind: "reacted", target: 1 }),
        entry(5, { kind: "edited", target: 2 }),
        entry(6, { kind: "edited", target: 1 }),
      ];
      const { key } = await roomWith(stores.store, list);
      assert.deepEqual(await stores.second.log.editsOf(key, 1), [stored(list[2]!), stored(list[5]!)]);
      assert.deepEqual(await stores.second.log.editsOf(key, 6), []);
    });

    test("a redaction replaces bodies in the same step, and marks them deleted", async () => {
      const log = [entry(1), entry(2), entry(3, { kind: "edited", target: 1, count: 2 })];
      const { key } = await roomWith(stores.store, log);
      const deletion = {
        key,
        entries: [entry(4, { kind: "deleted", target: 1, count: 2 })],
        redactions: [
          { seq: 1, body: '{"deleted":1}' },
          { seq: 3, body: '{"deleted":3}' },
        ],
      };
      assert.deepEqual(await stores.store.log.append([deletion]), ["appended"]);
      assert.deepEqual(await stores.second.log.get(key, 1), {
        ...stored(log[0]!),
        body: '{"deleted":1}',
        deleted: true,
      });
      assert.deepEqual(await stores.second.log.get(key, 2), stored(log[1]!));
      assert.deepEqual(
        (await stores.second.log.readAfter(key, 0, 9)).map((row) => row.body),
        ['{"deleted":1}', log[1]!.body, '{"deleted":3}', deletion.entries[0]!.body],
      );
      assert.deepEqual((await stores.second.log.editsOf(key, 1))[0]?.deleted, true);
      const found = await stores.store.log.find(key, [entry(1)]);
      assert.equal(found[0]?.seq, 1, "a repeat of what was deleted is still a repeat");
    });

    test("a redaction in a conflicting append changes nothing", async () => {
      const { key } = await roomWith(stores.store, entries(1, 2));
      const outcome = await stores.store.log.append([
        { key, entries: [entry(2, { clientMessageId: "x" })], redactions: [{ seq: 1, body: "{}" }] },
      ]);
      assert.deepEqual(outcome, ["conflict"]);
      assert.deepEqual(await stores.store.log.get(key, 1), stored(entry(1)));
    });

    test("a redaction of what retention has taken is no error, and of the same append works", async () => {
      const { key } = await roomWith(stores.store, entries(1, 4));
      await stores.store.log.trim(key, 3, 100);
      const outcome = await stores.store.log.append([
        {
          key,
          entries: [entry(5)],
          redactions: [
            { seq: 1, body: "{}" },
            { seq: 5, body: '{"gone":true}' },
          ],
        },
      ]);
      assert.deepEqual(outcome, ["appended"]);
      assert.equal(await stores.store.log.get(key, 1), null);
      assert.equal((await stores.store.log.get(key, 5))?.body, '{"gone":true}');
    });
  });

  describe("retention", () => {
    test("trim forgets from the start, at most `limit`, never the head, and the numbers go on", async () => {
      const { key } = await roomWith(stores.store, entries(1, 300));
      const { log } = stores.store;
      assert.equal(await log.trim(key, 1, 100), 0);
      assert.equal(await log.trim(key, 151, 100), 100);
      assert.deepEqual(await stores.second.log.heads([key]), [{ seq: 300, count: 300, start: 101 }]);
      assert.equal(await log.trim(key, 151, 100), 50);
      assert.equal(await log.trim(key, 151, 100), 0);
      assert.deepEqual(seqs(await stores.second.log.readAfter(key, 0, 2)), [151, 152]);
      assert.equal(await log.get(key, 150), null);
      assert.equal(await log.trim(key, 10_000, 1_000), 149);
      assert.deepEqual(await stores.second.log.heads([key]), [{ seq: 300, count: 300, start: 300 }]);
      assert.deepEqual(await log.append([{ key, entries: [entry(301)] }]), ["appended"]);
      assert.deepEqual(await log.heads([key]), [{ seq: 301, count: 301, start: 300 }]);
      assert.equal(await log.trim(randomKey(), 10, 10), 0);
    });

    test("trimming goes along with appending from the other store", async () => {
      const { key } = await roomWith(stores.store, entries(1, 50));
      for (let seq = 51; seq <= 250; seq++) {
        const [[outcome]] = await Promise.all([
          stores.store.log.append([{ key, entries: [entry(seq)] }]),
          stores.second.log.trim(key, seq - 20, 10),
        ]);
        assert.equal(outcome, "appended");
      }
      while ((await stores.second.log.trim(key, 231, 100)) > 0);
      assert.deepEqual(await stores.store.log.heads([key]), [{ seq: 250, count: 250, start: 231 }]);
      assert.deepEqual(seqs(await stores.store.log.readBefore(key, null, 1_000)), range(231, 250));
    });

    test("firstSince finds the first entry at or after a time, or head + 1", async () => {
      const list = range(1, 1_000).map((seq) => entry(seq, { atMs: 10_000 + Math.floor(seq / 2) * 10 }));
      const { key } = await roomWith(stores.store, list);
      const { log } = stores.store;
      for (const atMs of [0, 10_000, 10_001, 10_010, 12_345, 15_000, 15_001]) {
        const expected = list.find((e) => e.atMs >= atMs)?.seq ?? 1_001;
        assert.equal(await log.firstSince(key, atMs), expected, `since ${atMs}`);
      }
      await log.trim(key, 500, 1_000);
      assert.equal(await log.firstSince(key, 0), 500);
      assert.equal(await log.firstSince(randomKey(), 5), 1);
    });

    test("firstSince is the lowest seq also where clocks went back", async () => {
      const times = [100, 300, 200, 250, 400];
      const { key } = await roomWith(
        stores.store,
        times.map((atMs, i) => entry(i + 1, { atMs })),
      );
      assert.equal(await stores.store.log.firstSince(key, 240), 2);
      assert.equal(await stores.store.log.firstSince(key, 301), 5);
    });
  });
}
