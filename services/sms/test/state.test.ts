import assert from "node:assert/strict";
import test from "node:test";
import type { SmsRecord } from "@parley/store";
import fc from "fast-check";
import { applyOutcome, nextStep, type Outcome, type Policy, retryDelayMs } from "../src/state.ts";

const policy: Policy = {
  attempts: 4,
  leaseMs: 1_000,
  retryMs: 100,
  retryMaxMs: 2_000,
  settleAfterMs: 500,
  settleTries: 3,
  canLookUp: true,
};

const fresh = (onUnknown: SmsRecord["onUnknown"]): SmsRecord => ({
  id: "one",
  to: "+12025550123",
  text: "debited",
  kind: "transactional",
  onUnknown,
  idempotencyKey: "id:one",
  digest: "d",
  status: "queued",
  attempts: 0,
  provider: null,
  providerId: null,
  error: null,
  createdAtMs: 0,
  updatedAtMs: 0,
  dueAtMs: 0,
  version: 1,
});

/** What may happen next: time passes and a job looks, an attempt's outcome arrives (late, or never), a receipt comes. */
const happenings = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ what: fc.constant("look" as const), afterMs: fc.nat(3_000) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant("outcome" as const),
        of: fc.nat(5),
        outcome: fc.constantFrom("accepted", "refused", "final", "uncertain", "taken, uncertain"),
      }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("receipt" as const), good: fc.boolean() }) },
  ),
  { maxLength: 40 },
);

interface Attempt {
  over: boolean;
  /** What the attempt's worker will say, or would if it lived. */
  maybeTaken: boolean;
}

test("[N1] whatever happens, it is sent again only where nobody can have it, or that was asked for", () => {
  fc.assert(
    fc.property(fc.constantFrom("settle" as const, "resend" as const), happenings, (onUnknown, steps) => {
      let record = fresh(onUnknown);
      let nowMs = 0;
      const attempts: Attempt[] = [];
      const change = (changes: Partial<SmsRecord> | null) => {
        if (changes) record = { ...record, ...changes, version: record.version + 1 };
      };
      for (const step of steps) {
        if (step.what === "look") {
          nowMs += step.afterMs;
          const next = nextStep(record, nowMs, policy, "test");
          if (next.do === "wait") assert.ok(next.untilMs > nowMs && next.untilMs === record.dueAtMs);
          if (next.do === "nothing" || next.do === "wait") continue;
          if (next.do === "send") {
            if (onUnknown === "settle")
              assert.ok(
                attempts.every((attempt) => attempt.over && !attempt.maybeTaken),
                "sent while an earlier attempt may have been taken",
              );
            attempts.push({ over: false, maybeTaken: true });
          }
          change(next.changes);
        } else if (step.what === "outcome") {
          const attempt = attempts[step.of];
          if (!attempt || attempt.over) continue;
          attempt.over = true;
          attempt.maybeTaken = step.outcome !== "refused" && step.outcome !== "final";
          const outcome: Outcome =
            step.outcome === "accepted"
              ? { kind: "accepted", providerId: "p" }
              : attempt.maybeTaken
                ? { kind: "uncertain", error: "late" }
                : { kind: "refused", error: "no", final: step.outcome === "final" };
          // Only the newest attempt's worker can still be sure that its refusal is the last word; an older one's is stale
          // where it is to be repeated anyway.
          if (onUnknown === "resend" && step.of < attempts.length - 1 && outcome.kind !== "accepted") continue;
          change(applyOutcome(record, outcome, nowMs, policy, 0.5));
        } else {
          const outcome: Outcome = step.good ? { kind: "delivered" } : { kind: "undelivered", error: "gone" };
          if (attempts.some(({ maybeTaken }) => maybeTaken)) change(applyOutcome(record, outcome, nowMs, policy, 0.5));
        }
        assert.ok(record.attempts <= policy.attempts, "no more attempts than allowed");
        const over = record.status === "sent" || record.status === "delivered" || record.status === "failed";
        assert.ok(!over || record.dueAtMs === null, "an end is an end");
        if (record.status === "queued" || record.status === "sending")
          assert.ok(record.dueAtMs !== null, "what is not over is looked at again");
      }
      // Left alone, it ends.
      for (let i = 0; i < 50 && record.dueAtMs !== null; i++) {
        nowMs = record.dueAtMs;
        const next = nextStep(record, nowMs, policy, "test");
        assert.ok(next.do !== "wait" && next.do !== "nothing");
        change(next.changes);
        if (next.do === "send")
          change(applyOutcome(record, { kind: "refused", error: "no", final: false }, nowMs, policy, 1));
      }
      assert.equal(record.dueAtMs, null);
      assert.ok(!["queued", "sending"].includes(record.status), `it ended as ${record.status}`);
    }),
    { numRuns: 2_000 },
  );
});

test("[N1] a delivered SMS stays delivered, whatever comes late", () => {
  const delivered: SmsRecord = { ...fresh("settle"), status: "delivered", dueAtMs: null };
  const late: Outcome[] = [
    { kind: "accepted", providerId: "p" },
    { kind: "refused", error: "no", final: true },
    { kind: "undelivered", error: "no" },
    { kind: "uncertain", error: "?" },
    { kind: "replay" },
    { kind: "delivered" },
  ];
  for (const outcome of late) assert.equal(applyOutcome(delivered, outcome, 1, policy, 0), null);
});

test("retries wait longer and longer, each between half and all of its time, up to the most", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
      const most = Math.min(policy.retryMaxMs, policy.retryMs * 2 ** (attempt - 1));
      const waitMs = retryDelayMs(attempt, policy, random);
      assert.ok(waitMs >= most / 2 && waitMs <= most);
    }),
  );
});
