import assert from "node:assert/strict";
import test from "node:test";
import { judgeMemory } from "./judge-memory.ts";

const samples = (values: number[]) => values.map((mib) => new Map([["gateway 1", mib]]));
const steps = Array.from({ length: 20 }, (_, i) => i);

test("memory that wavers, or grows while it warms up, is flat; what keeps growing is not", () => {
  const flat = (values: number[]) => judgeMemory(samples(values)).every((each) => each.flat);
  assert.ok(flat(steps.map((i) => 150 + (i % 3) * 20)));
  assert.ok(flat([60, 90, ...steps.slice(2).map(() => 150)]));
  assert.ok(flat(steps.map((i) => 20 + i)), "a small process may grow by what the collector leaves lying");
  assert.ok(!flat(steps.map((i) => 150 + i * 8)));
  assert.ok(!flat(steps.map((i) => 40 + i * 3)));
  assert.deepEqual(judgeMemory(samples(steps.map(() => 7))), [{ name: "gateway 1", first: 7, last: 7, flat: true }]);
});
