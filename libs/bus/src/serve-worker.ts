/** What every worker that owns partitions does: says that it lives, takes batches, answers each request, leaves in order. */
import { errors, Refusal, Unavailable } from "@parley/protocol";
import type { ByteReader, ByteWriter } from "./bytes.ts";
import type { Bus } from "./connect-bus.ts";
import type { JsonAnswer } from "./json-wire.ts";
import { registerService } from "./register-service.ts";
import { serveBatches } from "./responder.ts";
import type { WorkerService } from "./subjects.ts";
import { announceWorker, watchWorkers } from "./workers.ts";

type Refused = Extract<JsonAnswer, { kind: "refused" }>;

export interface ServeWorkerOptions<Request extends { kind: string }, Answer> {
  bus: Bus;
  service: WorkerService;
  /** Unique among all lives of all workers: a restarted one is another to those who ask. */
  worker: string;
  version: string;
  /** A line for `nats micro list`. */
  description: string;
  decode: (reader: ByteReader) => Request;
  encode: (writer: ByteWriter, answer: Answer | Refused) => void;
  /** May reject: Refusal and Unavailable are answered as such, all else as `internal` and given to `onError`. */
  handle: (request: Request) => Promise<Answer | Refused>;
  /** Further figures for `nats micro stats`. */
  stats?: () => Record<string, unknown>;
  /** How long a batch took from its arrival to its answer: for figures. */
  onBatch?: (elapsedMs: number) => void;
  /** `unavailable`: something that the worker needs can't be reached; else a fault of ours. */
  onError: (error: unknown, what: string, unavailable: boolean) => void;
}

export interface ServedWorker {
  /** Whether the partition is this worker's now; another may believe the same for a moment. */
  owns(partition: number): boolean;
  /** Told after partitions may have changed hands. */
  onOwnersChange(listener: () => void): void;
  counts: { batches: number; requests: number };
  /** Requests `refused` by rule, `unavailable` for want of something, `failed` by a fault of ours. */
  outcomes: { refused: number; unavailable: number; failed: number };
  /** Batches not yet answered. */
  busy(): number;
  /** Gives its partitions away, answers what it took, and stops. */
  stop(): Promise<void>;
}

/** How long gateways may still send to a worker that said it leaves. */
const lastBatchesMs = 100;

export async function serveWorker<Request extends { kind: string }, Answer>(
  options: ServeWorkerOptions<Request, Answer>,
): Promise<ServedWorker> {
  const { bus, service, worker, handle, onError } = options;
  const outcomes = { refused: 0, unavailable: 0, failed: 0 };

  const answer = async (request: Request): Promise<Answer | Refused> => {
    try {
      return await handle(request);
    } catch (error) {
      if (error instanceof Refusal) {
        outcomes[error.code === "unavailable" ? "unavailable" : "refused"]++;
        return { kind: "refused", code: error.code, error: error.message };
      }
      const unavailable = error instanceof Unavailable;
      outcomes[unavailable ? "unavailable" : "failed"]++;
      onError(error, `${service}: ${request.kind} failed`, unavailable);
      if (unavailable) return { kind: "refused", code: "unavailable", error: error.told };
      return { kind: "refused", code: "internal", error: errors.internal.message };
    }
  };

  const workers = watchWorkers(bus, service);
  const responder = serveBatches<Request, Answer | Refused>({
    bus,
    service,
    worker,
    decode: options.decode,
    encode: options.encode,
    handle: answer,
    ...(options.onBatch ? { onBatch: options.onBatch } : {}),
    onUnreadable: (error) => onError(error, `${service}: a batch could not be read or answered`, false),
  });
  const registered = await registerService(bus, {
    name: `parley-${service}`,
    version: options.version,
    description: options.description,
    worker,
    stats: () => ({ ...responder.counts, busy: responder.busy(), ...options.stats?.() }),
  });
  // Last, so that nobody sends before somebody listens.
  await bus.nc.flush();
  const announcement = announceWorker(bus, service, worker);

  return {
    owns: (partition) => workers.owners()[partition] === worker,
    onOwnersChange: workers.onChange,
    counts: responder.counts,
    outcomes,
    busy: responder.busy,
    async stop() {
      announcement.leave();
      // Batches sent before the gateways heard of it are still answered.
      await new Promise((resolve) => setTimeout(resolve, lastBatchesMs));
      await responder.stop();
      workers.close();
      await registered.stop();
    },
  };
}
