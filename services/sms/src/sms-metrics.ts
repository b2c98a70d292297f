/** What Prometheus hears of SMS: the queues, and what became of the attempts. */
import type { Producer } from "@parley/jobs";
import { createTally, type Metrics, type Tally } from "@parley/service-kit";
import type { SmsKind, SmsRecord, SmsStore } from "@parley/store";
import type { Outcome } from "./state.ts";

export interface AttemptCounts {
  add(outcome: Outcome, record: Pick<SmsRecord, "provider" | "kind">, tookMs: number): void;
  read(): Iterable<readonly [Record<string, string>, number]>;
  took: Tally;
}

export function createAttemptCounts(): AttemptCounts {
  const counts = new Map<string, number>();
  const took = createTally();
  return {
    took,
    add(outcome, { provider, kind }, tookMs) {
      const key = JSON.stringify({ provider, lane: kind, outcome: outcome.kind });
      counts.set(key, (counts.get(key) ?? 0) + 1);
      took.add(tookMs);
    },
    read: () => Array.from(counts, ([key, n]) => [JSON.parse(key) as Record<string, string>, n] as const),
  };
}

export function addSmsMetrics(
  metrics: Metrics,
  parts: { store: SmsStore; attempts: AttemptCounts; queues: Record<SmsKind, Producer> },
): void {
  const { store, attempts, queues } = parts;
  const lanes = Object.entries(queues);
  const looked = () => Promise.all(lanes.map(async ([lane, queue]) => [lane, await queue.look()] as const));

  metrics.gauge("parley_sms_queue_jobs", "Jobs of each queue by state", async () =>
    (await looked()).flatMap(([lane, { waiting, delayed, active }]) =>
      Object.entries({ waiting, delayed, active }).map(([state, n]) => [{ lane, state }, n] as const),
    ),
  );
  metrics.gauge(
    "parley_sms_queue_oldest_seconds",
    "How long the oldest waiting job of each queue has waited",
    async () => (await looked()).map(([lane, { oldestMs }]) => [{ lane }, oldestMs / 1000] as const),
  );
  metrics.counter("parley_sms_attempts_total", "Calls to the provider by what became of them", attempts.read);
  metrics.histogram("parley_sms_attempt_seconds", "How long the provider took", () => attempts.took);
  metrics.gauge("parley_sms_records", "SMS not ended well: queued, sending, unknown, failed (dead letters)", () =>
    Promise.all(
      (["queued", "sending", "unknown", "failed"] as const).map(
        async (status) => [{ status }, await store.count(status)] as const,
      ),
    ),
  );
}
