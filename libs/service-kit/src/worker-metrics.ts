import type { Metrics } from "./metrics.ts";
import type { Tally } from "./tally.ts";

/** What a worker that answers batches keeps count of; `serveWorker` of the bus has it. */
export interface WorkerCounts {
  counts: { batches: number; requests: number };
  outcomes: { refused: number; unavailable: number; failed: number };
  /** Batches not yet answered. */
  busy(): number;
}

/** Metrics that all workers share, so that one dashboard and one alert do for all; the label `service` tells them apart. */
export function addWorkerMetrics(metrics: Metrics, served: WorkerCounts, batchTally: Tally): void {
  const { counts, outcomes } = served;
  metrics.counter("parley_worker_batches_total", "Batches taken", () => counts.batches);
  metrics.counter("parley_worker_requests_total", "Requests by what became of them", () => [
    [{ outcome: "ok" }, counts.requests - outcomes.refused - outcomes.unavailable - outcomes.failed],
    [{ outcome: "refused" }, outcomes.refused],
    [{ outcome: "unavailable" }, outcomes.unavailable],
    [{ outcome: "failed" }, outcomes.failed],
  ]);
  metrics.gauge("parley_worker_batches_waiting", "Batches taken and not yet answered", () => served.busy());
  metrics.histogram("parley_worker_batch_seconds", "From a batch's arrival to its answer", () => batchTally);
}
