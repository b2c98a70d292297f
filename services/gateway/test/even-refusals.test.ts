import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createEvenRefusals } from "../src/even-refusals.ts";

test("[R8] when a refusal is told says when the question came, and nothing of how long the answer took", () => {
  const ticks = Array.from({ length: 10 }, (_, i) => i * 50);
  /** Asked, answered so much later: the tick at which it was told. */
  const toldAt = (askedAtMs: number, tookMs: number): number | undefined => {
    const refusals = createEvenRefusals();
    let told = false;
    let answered = false;
    for (const tickMs of ticks) {
      if (!answered && askedAtMs + tookMs <= tickMs) {
        answered = true;
        refusals.tell(askedAtMs, () => {
          told = true;
        });
      }
      refusals.sweep(tickMs);
      if (told) return tickMs;
    }
    return undefined;
  };
  // Eighths of a millisecond: sums of them are exact.
  const asked = fc.integer({ min: 0, max: 1_600 }).map((eighths) => eighths / 8);
  const took = fc.integer({ min: 0, max: 199 }).map((eighths) => eighths / 8);
  fc.assert(
    fc.property(asked, took, took, (askedAtMs, one, other) => {
      const told = toldAt(askedAtMs, one);
      assert.equal(told, toldAt(askedAtMs, other));
      assert.ok(told !== undefined && told >= askedAtMs + 25 && told <= askedAtMs + 75);
    }),
  );
});

test("each is told once, and those that wait don't hold up others", () => {
  const refusals = createEvenRefusals();
  const told: string[] = [];
  refusals.tell(0, () => told.push("first"));
  refusals.tell(40, () => told.push("second"));
  refusals.tell(10, () => {
    told.push("third");
    refusals.tell(10, () => told.push("asked meanwhile"));
  });
  refusals.sweep(20);
  assert.deepEqual(told, []);
  refusals.sweep(50);
  assert.deepEqual(told, ["first", "third"]);
  refusals.sweep(100);
  refusals.sweep(150);
  assert.deepEqual(told, ["first", "third", "second", "asked meanwhile"]);
});
