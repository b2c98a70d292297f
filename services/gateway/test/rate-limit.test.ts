import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createConnectionLimit, fullBucket, strike, takeToken } from "../src/rate-limit.ts";

test("a bucket lets a burst through, then its rate, and says rightly when to come back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 200 }), (perSecond, burst) => {
      const bucket = fullBucket(burst, 0);
      for (let i = 0; i < burst; i++) assert.equal(takeToken(bucket, perSecond, burst, 0), 0);
      const waitMs = takeToken(bucket, perSecond, burst, 0);
      assert.ok(waitMs > 0 && waitMs <= 1_000);
      assert.equal(takeToken(bucket, perSecond, burst, waitMs), 0, "no later than it said");
    }),
  );
});

test("over any time no more gets through than burst + rate × time", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 300 }), (steps) => {
      const bucket = fullBucket(10, 0);
      let nowMs = 0;
      let through = 0;
      for (const step of steps) {
        nowMs += step;
        if (takeToken(bucket, 50, 10, nowMs) === 0) through++;
      }
      assert.ok(through <= 10 + (nowMs * 50) / 1000 + 1e-6);
    }),
  );
});

test("strikes count within their window and begin anew after it", () => {
  const strikes = { count: 0, sinceMs: 0 };
  for (let i = 1; i <= 20; i++) assert.equal(strike(strikes, 60_000, i), i);
  assert.equal(strike(strikes, 60_000, 60_000), 1);
});

test("one address can't use up what others may", () => {
  const limit = createConnectionLimit(50, 1_000);
  let refused = 0;
  for (let i = 0; i < 100; i++) if (limit.take("127.0.0.1", 1_000) > 0) refused++;
  assert.equal(refused, 50);
  assert.equal(limit.take("127.0.0.2", 1_000), 0);
});
