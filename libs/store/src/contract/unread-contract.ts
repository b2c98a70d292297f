import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type EntryKind, entryKinds, type NewEntry } from "../room-log.ts";
import { roomWith } from "./log-contract.ts";
import { entries, entry } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

const users = ["ada", "bob", "eve"];

/** What a user does to one room in the property below. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("send" as const), user: fc.constantFrom(...users), n: fc.nat(40) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("other" as const),
      user: fc.constantFrom(...users),
      kind: fc.constantFrom("edited", "reacted", "deleted", "system") as fc.Arbitrary<EntryKind>,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("read" as const), user: fc.constantFrom(...users), back: fc.nat(60) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("trim" as const), back: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), user: fc.constantFrom(...users) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("join" as const), user: fc.constantFrom(...users) }) },
);

export function unreadContract(stores: ContractStores): void {
  describe("unread", () => {
    test("[R7] unread = messages after the mark that the reader did not send", async () => {
      const log = [
        entry(1),
        entry(2, { sender: "bob", count: 2 }),
        entry(3, { kind: "edited", target: 1, count: 2 }),
        entry(4, { count: 3 }),
        entry(5, { sender: "bob", count: 4 }),
      ];
      const { key } = await roomWith(stores.store, log);
      const { rooms } = stores.store;
      const other = await roomWith(stores.store);
      for (const user of ["ada", "bob"]) await rooms.putMember(key, user, {}, 1);
      await rooms.putMember(other.key, "ada", {}, 1);
      const ask = [
        { key, user: "ada" },
        { key: other.key, user: "ada" },
        { key, user: "bob" },
        { key, user: "nobody" },
      ];
      assert.deepEqual(await stores.second.rooms.unread(ask), [2, 0, 2, 0]);
      await rooms.markRead(key, "ada", 3, 2);
      await rooms.markRead(key, "bob", 5, 4);
      assert.deepEqual(await stores.second.rooms.unread(ask), [1, 0, 0, 0]);
      assert.deepEqual(await rooms.unread([]), []);
    });

    test("[R7] a big own share since the mark is counted right", async () => {
      const log = entries(1, 5_000).map((e) => ({ ...e, sender: e.seq % 5 === 0 ? "bob" : "ada" }));
      const { key } = await roomWith(stores.store, log);
      for (const user of ["ada", "bob"]) await stores.store.rooms.putMember(key, user, {}, 1);
      const ask = ["ada", "bob"].map((user) => ({ key, user }));
      assert.deepEqual(await stores.store.rooms.unread(ask), [1_000, 4_000]);
      for (const { user } of ask) await stores.store.rooms.markRead(key, user, 2_501, 2_501);
      assert.deepEqual(await stores.store.rooms.unread(ask), [500, 1_999]);
    });

    test("[R7] unread is what a plain count says, whatever was sent, read, forgotten, left and joined", async () => {
      const run = async (steps: (typeof step extends fc.Arbitrary<infer T> ? T : never)[]): Promise<void> => {
        const { store, second } = stores;
        const { key } = await roomWith(store);
        const log: NewEntry[] = [];
        const marks = new Map<string, number>();
        let start = 1;
        const countAt = (seq: number): number => log[seq - 1]?.count ?? 0;
        const append = async (user: string, kinds: EntryKind[]): Promise<void> => {
          const added = kinds.map((kind) => {
            const seq = log.length + 1;
            const count = countAt(seq - 1) + Number(kind === "message");
            const target = entryKinds[kind] > 1 && kind !== "system" && seq > 1 ? 1 : null;
            log.push(entry(seq, { count, kind, sender: user, target }));
            return log.at(-1)!;
          });
          if (added.length > 0) assert.deepEqual(await store.log.append([{ key, entries: added }]), ["appended"]);
        };
        for (const s of steps) {
          if (s.do === "send") await append(s.user, Array<EntryKind>(s.n).fill("message"));
          else if (s.do === "other") await append(s.user, [s.kind]);
          else if (s.do === "trim") {
            await store.log.trim(key, log.length - s.back, 10_000);
            start = Math.max(start, Math.min(log.length, log.length - s.back));
          } else if (s.do === "join") {
            await store.rooms.putMember(key, s.user, {}, 1);
            if (!marks.has(s.user)) marks.set(s.user, 0);
          } else if (s.do === "leave") {
            await store.rooms.removeMember(key, s.user);
            marks.delete(s.user);
          } else {
            const seq = Math.max(0, log.length - s.back);
            await store.rooms.markRead(key, s.user, seq, countAt(seq));
            if (marks.has(s.user)) marks.set(s.user, Math.max(marks.get(s.user)!, seq));
          }
          const expected = users.map((user) => {
            const mark = marks.get(user);
            if (mark === undefined) return 0;
            const from = Math.max(mark, start - 1);
            return log.filter((e) => e.seq > from && e.kind === "message" && e.sender !== user).length;
          });
          assert.deepEqual(await second.rooms.unread(users.map((user) => ({ key, user }))), expected);
        }
      };
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), run), { numRuns: 40 });
    });
  });
}
