import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createTicker, standstillMs } from "../src/ticker.ts";

interface Item {
  endsAtMs: number;
  ticks: number[];
}

function world(startMs: number) {
  let nowMs = startMs;
  const standstills: number[] = [];
  const ticker = createTicker<Item>({
    clock: { monotonicMs: () => nowMs },
    tick: (item) => {
      item.ticks.push(nowMs);
      if (nowMs >= item.endsAtMs) ticker.delete(item);
    },
    stoodStill: (ms) => standstills.push(ms),
  });
  return {
    ticker,
    standstills,
    now: () => nowMs,
    pass(ms: number) {
      nowMs += ms;
      ticker.turn();
    },
  };
}

test("each item ticks once a second, on its own second and never before it, the last time at its end", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e9 }),
      // Never a whole second: whether the one that begins now ticks at once is the wheel's business.
      fc.array(
        fc.tuple(fc.nat({ max: 3 }), fc.integer({ min: 1, max: 990 })).map(([seconds, ms]) => seconds * 1_000 + ms),
        { minLength: 1, maxLength: 20 },
      ),
      fc.integer({ min: 1, max: 40 }),
      (startMs, lengths, stepMs) => {
        const { ticker, now, pass } = world(startMs);
        const items = lengths.map((ms): Item => ({ endsAtMs: startMs + ms, ticks: [] }));
        for (const item of items) ticker.add(item, item.endsAtMs);
        while (now() < startMs + 4_100) pass(stepMs);
        ticker.stop();
        for (const [i, { endsAtMs, ticks }] of items.entries()) {
          const due = Array.from({ length: Math.ceil(lengths[i]! / 1_000) }, (_, n) => endsAtMs - n * 1_000).reverse();
          assert.equal(ticks.length, due.length);
          // The wheel's step, and how often it is turned here.
          for (const [n, atMs] of ticks.entries()) assert.ok(atMs >= due[n]! && atMs < due[n]! + 5 + stepMs);
        }
        assert.equal(ticker.size(), 0);
      },
    ),
  );
});

test("after a standstill nothing ticks: it is said instead, and the next second is as always", () => {
  const { ticker, standstills, pass, now } = world(1_000);
  const item: Item = { endsAtMs: 1_000_000, ticks: [] };
  ticker.add(item, item.endsAtMs);
  for (let i = 0; i < 40; i++) pass(50);
  assert.equal(item.ticks.length, 2);
  pass(standstillMs + 1_500);
  assert.equal(item.ticks.length, 2);
  assert.equal(standstills.length, 1);
  const from = now();
  for (let i = 0; i < 20; i++) pass(50);
  assert.equal(item.ticks.filter((atMs) => atMs > from).length, 1);
  ticker.stop();
});

test("adding an item again moves it; a deleted one ticks no more", () => {
  const { ticker, pass } = world(0);
  const item: Item = { endsAtMs: 1e9, ticks: [] };
  ticker.add(item, 2_300);
  ticker.add(item, 2_600);
  for (let i = 0; i < 200; i++) pass(10);
  assert.deepEqual(item.ticks, [600, 1_600]);
  ticker.delete(item);
  for (let i = 0; i < 200; i++) pass(10);
  assert.equal(item.ticks.length, 2);
  assert.equal(ticker.size(), 0);
  ticker.stop();
});
