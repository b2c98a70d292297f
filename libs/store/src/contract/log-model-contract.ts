import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { EntryKind, StoredEntry } from "../room-log.ts";
import type { Store } from "../store.ts";
import { roomWith } from "./log-contract.ts";
import { entry } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

const senders = ["ada", "bob", "zoé 😀"];
const kinds: EntryKind[] = ["message", "message", "message", "edited", "reacted", "system", "deleted"];

/** A step of the property below; the fractions become places in whatever the log is by then. */
const step = fc.record({
  first: fc.boolean(),
  append: fc.array(fc.record({ sender: fc.constantFrom(...senders), kind: fc.constantFrom(...kinds) }), {
    maxLength: 60,
  }),
  redact: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2 }),
  trim: fc.option(fc.double({ min: 0, max: 0.3, noNaN: true }), { freq: 6 }),
  look: fc.double({ min: 0, max: 1, noNaN: true }),
  limit: fc.integer({ min: 1, max: 80 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Everything a store may be asked about a log, compared with a plain list of what it holds. */
async function compare(
  { log }: Store,
  key: number,
  all: StoredEntry[],
  start: number,
  { look, limit }: Step,
): Promise<void> {
  const kept = all.slice(start - 1);
  const seq = Math.floor(look * (all.length + 2));
  const bodies = (list: StoredEntry[]) => list.map((e) => ({ seq: e.seq, body: e.body }));
  const [heads, after, before, newest, one, edits, since] = await Promise.all([
    log.heads([key]),
    log.readAfter(key, seq, limit),
    log.readBefore(key, seq, limit),
    log.readBefore(key, null, limit),
    log.get(key, seq),
    log.editsOf(key, seq),
    log.firstSince(key, entry(seq).atMs),
  ]);
  assert.deepEqual(heads, [{ seq: all.length, count: all.at(-1)?.count ?? 0, start }]);
  assert.deepEqual(after, bodies(kept.filter((e) => e.seq > seq).slice(0, limit)));
  assert.deepEqual(before, bodies(kept.filter((e) => e.seq < seq).slice(-limit)));
  assert.deepEqual(newest, bodies(kept.slice(-limit)));
  assert.deepEqual(one, kept.find((e) => e.seq === seq) ?? null);
  assert.deepEqual(
    edits,
    kept.filter((e) => e.kind === "edited" && e.target === seq),
  );
  assert.equal(since, kept.find((e) => e.atMs >= entry(seq).atMs)?.seq ?? all.length + 1);
  const found = await log.find(key, all);
  assert.deepEqual(
    found,
    all.map((e) => (e.seq < start ? null : { seq: e.seq, digest: e.digest, atMs: e.atMs })),
  );
}

export function logModelContract(stores: ContractStores): void {
  describe("a log and a plain list", () => {
    test("[R2] say the same, whatever is appended, redacted, forgotten and by whom", async () => {
      const run = async (steps: Step[]): Promise<void> => {
        const { key } = await roomWith(stores.store);
        const all: StoredEntry[] = [];
        let start = 1;
        for (const s of steps) {
          const [one, other] = s.first ? [stores.store, stores.second] : [stores.second, stores.store];
          const added = s.append.map(({ sender, kind }, i) => {
            const seq = all.length + i + 1;
            const target = kind === "edited" || kind === "reacted" ? 1 + ((seq * 7) % seq) : null;
            return entry(seq, { sender, kind, target, body: `{"seq":${seq},"text":"${sender}"}` });
          });
          let count = all.at(-1)?.count ?? 0;
          for (const e of added) {
            if (e.kind === "message") count++;
            e.count = count;
          }
          all.push(...added.map((e) => ({ ...e, deleted: false })));
          const seqs = [...new Set(s.redact.map((place) => 1 + Math.floor(place * (all.length - 1))))];
          const redactions = all.length === 0 ? [] : seqs.map((seq) => ({ seq, body: `{"gone":${seq}}` }));
          for (const { seq, body } of redactions) Object.assign(all[seq - 1]!, { body, deleted: true });
          assert.deepEqual(await one.log.append([{ key, entries: added, redactions }]), ["appended"]);
          if (s.trim !== null && all.length > 0) {
            const keepFrom = start + Math.floor(s.trim * (all.length - start + 1));
            const expected = Math.min(keepFrom, all.length, start + s.limit) - start;
            assert.equal(await other.log.trim(key, keepFrom, s.limit), expected);
            start += expected;
          }
          await compare(other, key, all, start, s);
          await compare(one, key, all, start, s);
        }
      };
      await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), run), {
        numRuns: stores.scans ? 15 : 40,
      });
    });
  });
}
