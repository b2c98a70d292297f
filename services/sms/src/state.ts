/**
 * What becomes of an SMS: decided here, without I/O, from its record and what happened.
 *
 *   queued ──attempt──▶ sending ──accepted──▶ sent ──receipt──▶ delivered
 *     ▲                    │ refused for now: back to queued, later and later; in the end failed
 *     └────────────────────┤ refused for good: failed
 *                          └ nobody knows: unknown, until the provider's receipt or list settles it
 */
import type { SmsChanges, SmsRecord } from "@parley/store";

export interface Policy {
  /** Attempts at most. */
  attempts: number;
  /** How long an attempt may take until it is given up as unknown: longer than the provider's own timeout. */
  leaseMs: number;
  /** The wait after the first refusal; it doubles with each, up to the most. */
  retryMs: number;
  retryMaxMs: number;
  /** How long after an attempt of unknown outcome the provider is asked, and how often again. */
  settleAfterMs: number;
  settleTries: number;
  /** Whether the provider can be asked at all. */
  canLookUp: boolean;
}

/** What a job that looks at a record has to do. */
export type Step =
  | { do: "send" | "settle"; changes: SmsChanges }
  /** Only the record changes. */
  | { do: "record"; changes: SmsChanges }
  | { do: "wait"; untilMs: number }
  | { do: "nothing" };

export type Outcome =
  /** The provider has it. */
  | { kind: "accepted"; providerId: string | null }
  | { kind: "delivered" }
  /** The provider certainly does not have it; `final`: and never will. */
  | { kind: "refused"; error: string; final: boolean }
  /** The provider took it, and could not deliver it. */
  | { kind: "undelivered"; error: string }
  /** It may or may not have it. */
  | { kind: "uncertain"; error: string }
  /** An operator wants it tried again, from the start. */
  | { kind: "replay" };

/** How long to wait after attempt number `attempt`: doubling, and between half and all of that, so that retries spread out. */
export function retryDelayMs(attempt: number, policy: Pick<Policy, "retryMs" | "retryMaxMs">, random: number): number {
  const most = Math.min(policy.retryMaxMs, policy.retryMs * 2 ** Math.min(30, attempt - 1));
  return Math.round(most * (0.5 + random / 2));
}

const sending = (record: SmsRecord, nowMs: number, policy: Policy, provider: string): Step => ({
  do: "send",
  changes: {
    status: "sending",
    attempts: record.attempts + 1,
    provider,
    providerId: null,
    updatedAtMs: nowMs,
    dueAtMs: nowMs + policy.leaseMs,
  },
});

/** The changes that make it unknown; the provider is asked `tries` times more. */
function unknown(error: string, nowMs: number, policy: Policy): SmsChanges {
  const dueAtMs = policy.canLookUp ? nowMs + policy.settleAfterMs : null;
  return { status: "unknown", error, updatedAtMs: nowMs, dueAtMs };
}

export function nextStep(record: SmsRecord, nowMs: number, policy: Policy, provider: string): Step {
  const { status, dueAtMs, attempts } = record;
  if (dueAtMs === null) return { do: "nothing" };
  if (dueAtMs > nowMs) return { do: "wait", untilMs: dueAtMs };
  switch (status) {
    case "queued":
      return sending(record, nowMs, policy, provider);
    case "sending":
      // Whoever had this attempt was killed, or sleeps: the provider may have it.
      if (record.onUnknown === "resend" && attempts < policy.attempts) return sending(record, nowMs, policy, provider);
      return { do: "record", changes: unknown("The attempt was cut short", nowMs, policy) };
    case "unknown": {
      const tried = Math.floor((nowMs - record.updatedAtMs) / policy.settleAfterMs);
      const again = tried < policy.settleTries ? nowMs + policy.settleAfterMs : null;
      return { do: "settle", changes: { dueAtMs: again } };
    }
    default:
      return { do: "record", changes: { dueAtMs: null } };
  }
}

/** What an outcome changes; null: nothing. `random` in [0, 1). */
export function applyOutcome(
  record: SmsRecord,
  outcome: Outcome,
  nowMs: number,
  policy: Policy,
  random: number,
): SmsChanges | null {
  const { status } = record;
  const open = status === "sending" || status === "unknown";
  const end = { updatedAtMs: nowMs, dueAtMs: null };
  switch (outcome.kind) {
    case "accepted": {
      // Also where it is queued: a late word of an attempt that was given up as unknown and is to be repeated.
      if (status !== "queued" && !open) return null;
      return { ...end, status: "sent", error: null, ...(outcome.providerId ? { providerId: outcome.providerId } : {}) };
    }
    case "delivered":
      return status === "delivered" ? null : { ...end, status: "delivered", error: null };
    case "undelivered":
      return status === "delivered" || status === "failed" ? null : { ...end, status: "failed", error: outcome.error };
    case "refused": {
      if (!open) return null;
      if (outcome.final || record.attempts >= policy.attempts)
        return { ...end, status: "failed", error: outcome.error };
      const dueAtMs = nowMs + retryDelayMs(record.attempts, policy, random);
      return { status: "queued", error: outcome.error, updatedAtMs: nowMs, dueAtMs };
    }
    case "uncertain": {
      if (status !== "sending") return null;
      if (record.onUnknown === "resend" && record.attempts < policy.attempts) {
        const dueAtMs = nowMs + retryDelayMs(record.attempts, policy, random);
        return { status: "queued", error: outcome.error, updatedAtMs: nowMs, dueAtMs };
      }
      return unknown(outcome.error, nowMs, policy);
    }
    case "replay":
      if (status !== "failed" && status !== "unknown") return null;
      return { status: "queued", attempts: 0, error: null, updatedAtMs: nowMs, dueAtMs: nowMs };
  }
}
