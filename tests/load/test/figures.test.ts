import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { shareLonger } from "../src/drills/alike-drill.ts";
import { createHistogram } from "../src/histogram.ts";
import { poolRounds } from "../src/pool.ts";
import { createSequence } from "../src/sequence.ts";

test("a quantile is within 1.6 % of the exact one, and never above the largest", () => {
  const durations = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.01, 0.5, 0.99, 1), (values, share) => {
      const histogram = createHistogram();
      for (const value of values) histogram.add(value);
      const exact = [...values].sort((a, b) => a - b)[Math.max(1, Math.ceil(values.length * share)) - 1]!;
      const read = histogram.quantile(share);
      assert.ok(read >= exact - 1e-6 && read <= Math.max(exact + 1, exact * 1.016), `${read} for ${exact}`);
      assert.ok(read <= histogram.maxMicros);
    }),
  );
});

test("lost, repeated and late numbers are counted as what they are", () => {
  const fates = fc.array(fc.constantFrom("once", "lost", "twice", "late"), { maxLength: 60 });
  fc.assert(
    fc.property(fates, (all) => {
      const sequence = createSequence(0);
      const late: number[] = [];
      all.forEach((fate, number) => {
        if (fate === "late") late.push(number);
        else if (fate !== "lost") sequence.see(number);
        if (fate === "twice") sequence.see(number);
      });
      // One more at the end, so that what comes after it is late indeed.
      sequence.see(all.length);
      for (const number of late) sequence.see(number);
      const count = (fate: string): number => all.filter((it) => it === fate).length;
      assert.equal(sequence.missing(all.length), count("lost"));
      assert.equal(sequence.repeated, count("twice"));
      assert.equal(sequence.outOfOrder, count("late"));
      assert.equal(sequence.missing(all.length + 3), count("lost") + 3);
    }),
  );
});

test("rounds pool: counts add up, histograms merge, what can't be had stays null", () => {
  const round = (delivered: number, micros: number) => {
    const latency = createHistogram();
    latency.add(micros);
    return { delivered, latency, cpu: { gateway: 1 }, refused: {} as Record<string, number>, missing: null };
  };
  const second = { ...round(3, 9000), refused: { internal: 2 } };
  const pooled = poolRounds([round(2, 10), second, round(1, 10)]);
  assert.equal(pooled.delivered, 6);
  assert.deepEqual(pooled.cpu, { gateway: 3 });
  assert.deepEqual(pooled.refused, { internal: 2 });
  assert.equal(pooled.missing, null);
  assert.equal(pooled.latency.count, 3);
  assert.equal(pooled.latency.maxMicros, 9000);
});

test("how often one kind took longer than another: a half for the same, all for slower, ties as halves", () => {
  const quick = [1, 2, 3, 4];
  assert.equal(shareLonger(quick, quick).share, 0.5);
  assert.equal(shareLonger([5, 6, 7, 8], quick).share, 1);
  assert.equal(shareLonger([0, 0, 0, 0], quick).share, 0);
  assert.equal(shareLonger([3, 3], [3, 3, 3]).share, 0.5);
  assert.ok(Math.abs(shareLonger(Array(2_000).fill(1), Array(2_000).fill(1)).error - 0.00913) < 1e-4);
});
