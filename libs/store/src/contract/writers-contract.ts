import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Store } from "../store.ts";
import { roomWith } from "./log-contract.ts";
import { entries, entry } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

export function writersContract(stores: ContractStores): void {
  describe("two writers", () => {
    test("[R2] of two appends at one head exactly one is taken, hundreds of times", async () => {
      const { key } = await roomWith(stores.store);
      for (let seq = 1; seq <= 200; seq++) {
        const outcomes = await Promise.all(
          [stores.store, stores.second].map((store, writer) =>
            store.log.append([{ key, entries: [entry(seq, { clientMessageId: `${writer}-${seq}` })] }]),
          ),
        );
        assert.deepEqual(outcomes.flat().sort(), ["appended", "conflict"]);
      }
      assert.deepEqual(await stores.store.log.heads([key]), [{ seq: 200, count: 200, start: 1 }]);
    });

    test("[R2] two writers which each take what they get leave no hole and lose nothing", async () => {
      const keys: number[] = [];
      for (let i = 0; i < 10; i++) keys.push((await roomWith(stores.store)).key);
      const acknowledged = new Map(keys.map((key) => [key, new Map<string, number>()]));

      async function write(store: Store, writer: string): Promise<void> {
        for (let round = 0; round < (stores.scans ? 10 : 40); round++) {
          const heads = await store.log.heads(keys);
          const appends = keys.map((key, i) => ({
            key,
            entries: [1, 2, 3].map((n) =>
              entry(heads[i]!.seq + n, {
                count: heads[i]!.count + n,
                sender: writer,
                clientMessageId: `${writer}-${round}-${n}`,
              }),
            ),
          }));
          for (const [i, outcome] of (await store.log.append(appends)).entries()) {
            if (outcome === "conflict") continue;
            for (const e of appends[i]!.entries)
              acknowledged.get(keys[i]!)!.set(`${writer} ${e.clientMessageId}`, e.seq);
          }
        }
      }
      await Promise.all([write(stores.store, "one"), write(stores.second, "two")]);

      for (const [key, acks] of acknowledged) {
        const [head] = await stores.store.log.heads([key]);
        assert.deepEqual(head, { seq: acks.size, count: acks.size, start: 1 });
        assert.deepEqual(
          [...acks.values()].sort((a, b) => a - b),
          Array.from({ length: acks.size }, (_, i) => i + 1),
        );
        for (const [id, seq] of acks) {
          const [sender, clientMessageId] = id.split(" ") as [string, string];
          assert.equal((await stores.store.log.find(key, [{ sender, clientMessageId }]))[0]?.seq, seq);
        }
      }
    });

    test("what one store wrote the other sees at once, also what it asked for before", async () => {
      const { key } = await roomWith(stores.store);
      for (let seq = 1; seq <= 60; seq++) {
        const [writer, reader] = seq % 2 === 0 ? [stores.store, stores.second] : [stores.second, stores.store];
        assert.deepEqual(await writer.log.append([{ key, entries: [entry(seq)] }]), ["appended"]);
        assert.equal((await reader.log.heads([key]))[0]?.seq, seq);
        assert.equal((await reader.log.find(key, [entry(seq)]))[0]?.seq, seq);
        assert.equal((await reader.log.readBefore(key, null, 1))[0]?.body, entry(seq).body);
      }
    });

    test("a room deleted by one store takes no append of the other, and a new one begins at 1", async () => {
      const { key, name } = await roomWith(stores.store, entries(1, 20));
      const racing = Array.from({ length: 20 }, (_, i) =>
        stores.second.log.append([{ key, entries: [entry(21 + i)] }]),
      );
      await stores.store.rooms.delete(name);
      await Promise.all(racing);
      assert.deepEqual(await stores.second.log.append([{ key, entries: [entry(41)] }]), ["conflict"]);
      assert.deepEqual(await stores.second.rooms.find([name]), [null]);
    });
  });
}
