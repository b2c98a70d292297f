import assert from "node:assert/strict";
import { test } from "node:test";
import { closeCodes } from "@parley/protocol";
import fc from "fast-check";
import { backoffMs } from "../src/backoff.ts";
import { ownCloseCodes } from "../src/close-codes.ts";
import { createMessageIds } from "../src/message-id.ts";
import { orderEntries } from "../src/order.ts";
import { createTimeline } from "../src/timeline.ts";

test("[R5] orderEntries: any arrival order, with repeats and holes, gives the log's order without them", () => {
  const arrivals = fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }), { maxLength: 30 });
  fc.assert(
    fc.property(arrivals, fc.nat({ max: 5 }), (batches, start) => {
      let last = start;
      let held: { seq: number }[] = [];
      const given: number[] = [];
      const seen = new Set<number>();
      for (const batch of batches) {
        for (const seq of batch) seen.add(seq);
        const { ready, held: waiting } = orderEntries(
          last,
          held,
          batch.map((seq) => ({ seq })),
        );
        given.push(...ready.map(({ seq }) => seq));
        last += ready.length;
        held = waiting;
        assert.ok(held.every(({ seq }, i) => seq > last + 1 && (i === 0 || seq > held[i - 1]!.seq)));
      }
      // Exactly the unbroken run after the start was given, and all else beyond it is still held.
      const run: number[] = [];
      for (let seq = start + 1; seen.has(seq); seq++) run.push(seq);
      assert.deepEqual(given, run);
      assert.deepEqual(
        held.map(({ seq }) => seq),
        [...seen].filter((seq) => seq > last).sort((a, b) => a - b),
      );
    }),
  );
});

test("a timeline paged in from the middle holds the same messages as one read from the start", () => {
  const sender = { id: "u", name: "U" };
  const base = { sender, data: null, replyTo: null, at: "2026-01-01T00:00:00.000Z", clientMessageId: "" };
  const entries = fc.array(
    fc.record({ kind: fc.constantFrom("message", "edited", "deleted", "reacted"), at: fc.nat() }),
    {
      minLength: 1,
      maxLength: 40,
    },
  );
  fc.assert(
    fc.property(entries, fc.nat(), fc.integer({ min: 1, max: 7 }), (drafts, cut, pageSize) => {
      const log = drafts.map(({ kind, at }, i) => {
        const seq = i + 1;
        const target = kind === "message" || i === 0 ? {} : { target: 1 + (at % i) };
        const own = i === 0 ? "message" : (kind as "message" | "edited" | "deleted" | "reacted");
        return {
          ...base,
          seq,
          kind: own,
          text: `${kind} ${seq}`,
          emoji: at % 2 ? "a" : "b",
          remove: at % 5 === 0,
          ...target,
        };
      });
      const whole = createTimeline();
      whole.add(log);
      const middle = cut % (log.length + 1);
      const paged = createTimeline();
      paged.restart(middle);
      paged.add(log.slice(middle));
      while (paged.first > 1) paged.prepend(log.slice(Math.max(0, paged.first - 1 - pageSize), paged.first - 1));
      assert.deepEqual(paged.messages(), whole.messages());
    }),
  );
});

test("back-off is full jitter under min(20 s, 0.5 s · 2ⁿ)", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 2_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, random) => {
        const ms = backoffMs(attempt, random);
        assert.ok(ms >= 0 && ms < Math.min(20_000, 500 * 2 ** attempt) + Number.EPSILON);
      },
    ),
  );
  assert.equal(backoffMs(0, 0.5), 250);
  assert.equal(backoffMs(3, 0.5), 2_000);
  assert.equal(backoffMs(40, 0.5), 10_000);
});

test("clientMessageIds ascend, are unique and printable, whatever the clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 300 }), (steps) => {
      let nowMs = 1_790_000_000_000;
      const next = createMessageIds(() => nowMs);
      const ids = steps.map((step) => {
        nowMs += step;
        return next();
      });
      assert.deepEqual(ids, [...new Set(ids)].sort());
      assert.ok(ids.every((id) => /^[0-9a-z]{17}$/.test(id)));
    }),
  );
});

test("the close codes the SDK knows are the protocol's", () => {
  for (const [name, code] of Object.entries(ownCloseCodes))
    assert.equal(code, closeCodes[name as keyof typeof ownCloseCodes].code);
});
