/** Adds jobs without anybody ever waiting for Redis: what can't be added now, the sweeper adds later. */
import { Queue } from "bullmq";
import { connectRedis } from "./connect-redis.ts";
import { type QueueName, queuePrefix, type RecordJob } from "./queues.ts";

export interface ProducerOptions {
  redisUrl: string;
  queue: QueueName;
  /** How long Redis may take for one batch. */
  timeoutMs?: number;
  onError: (error: Error) => void;
}

export interface Producer {
  /** Adds a job for the record, soon, if Redis can be reached. Never waits, never throws. */
  nudge(id: string, traceparent?: string): void;
  /** Adds jobs for the records; answers whether Redis took them. A record that has a job already keeps the one it has. */
  add(ids: string[]): Promise<boolean>;
  /** The queue's state. Rejects where Redis can't be reached. */
  look(): Promise<{ waiting: number; delayed: number; active: number; oldestMs: number }>;
  /** Sends what waits if that is possible, and closes. */
  close(): Promise<void>;
}

const batchSize = 500;
/** Beyond this many, nudges are left to the sweeper. */
const waitingMax = 20_000;
/** So long after a failure Redis is not asked again by nudges. */
const restMs = 500;

export function createProducer({ redisUrl, queue: name, timeoutMs = 2_000, onError }: ProducerOptions): Producer {
  // BullMQ's add waits for ever for a Redis that is away, unless its connection is told to refuse.
  const connection = connectRedis(
    redisUrl,
    {
      enableOfflineQueue: false,
      commandTimeout: timeoutMs,
      maxRetriesPerRequest: 0,
      connectionName: `${name}-producer`,
    },
    onError,
  );
  // A queue made while Redis is away would keep the failure of its first question for good.
  let queue: Queue<RecordJob> | null = null;
  connection.on("ready", () => {
    if (queue) return;
    const made = new Queue<RecordJob>(name, { connection, prefix: queuePrefix });
    made.on("error", onError);
    queue = made;
    made.waitUntilReady().catch(() => {
      queue = null;
    });
  });

  let waiting: RecordJob[] = [];
  let adding: Promise<void> | null = null;
  let restUntilMs = 0;

  /** A Redis that never was there keeps `addBulk` waiting whatever its connection is told. */
  const withTimeout = async <T>(work: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("Redis did not answer in time")), timeoutMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  };

  const add = (ids: string[]) => addJobs(ids.map((id) => ({ id })));

  const addJobs = async (records: RecordJob[]): Promise<boolean> => {
    try {
      if (connection.status !== "ready" || !queue) throw new Error(`Redis can't be reached (${connection.status})`);
      const jobs = records.map((data) => ({
        name: "record",
        data,
        opts: { jobId: data.id, removeOnComplete: true, removeOnFail: true },
      }));
      await withTimeout(queue.addBulk(jobs));
      return true;
    } catch (error) {
      restUntilMs = performance.now() + restMs;
      onError(error as Error);
      return false;
    }
  };

  const addWaiting = async () => {
    // What one turn of the loop brings goes together.
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      if (performance.now() < restUntilMs) waiting = [];
      else await addJobs(waiting.splice(0, batchSize));
    }
    adding = null;
  };

  const look = async () => {
    if (connection.status !== "ready" || !queue) throw new Error("Redis can't be reached");
    const [counts, [oldest]] = await withTimeout(
      Promise.all([queue.getJobCounts("waiting", "delayed", "active"), queue.getJobs(["waiting"], 0, 0, true)]),
    );
    const { waiting: n = 0, delayed = 0, active = 0 } = counts;
    // Age of the one that has waited longest for a worker.
    return { waiting: n, delayed, active, oldestMs: oldest ? Date.now() - oldest.timestamp : 0 };
  };

  return {
    add,
    look,
    nudge(id, traceparent) {
      if (waiting.length >= waitingMax || performance.now() < restUntilMs) return;
      waiting.push(traceparent ? { id, traceparent } : { id });
      adding ??= addWaiting();
    },
    async close() {
      await adding;
      await withTimeout(queue?.close() ?? Promise.resolve()).catch(() => {});
      connection.disconnect();
    },
  };
}
