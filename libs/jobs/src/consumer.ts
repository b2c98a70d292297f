/** Works on the jobs of one queue: a job says only which record to look at, and the record says what to do. */
import { DelayedError, Worker } from "bullmq";
import { connectRedis } from "./connect-redis.ts";
import { type QueueName, queuePrefix, type RecordJob } from "./queues.ts";

export interface ConsumerOptions {
  redisUrl: string;
  queue: QueueName;
  /** Jobs at a time in this process. */
  concurrency: number;
  /** Jobs a second in all processes together; null: no bound. */
  perSecond: number | null;
  /** A job whose process says nothing for this long goes to another one. */
  lockMs?: number;
  /** Looks at the record; answers when to look again (milliseconds since 1970), or null when nothing is left to do. */
  handle: (id: string, traceparent: string | undefined) => Promise<number | null>;
  onError: (error: Error) => void;
}

export interface Consumer {
  isReady(): boolean;
  /** Finishes what is under way, and stops. */
  stop(): Promise<void>;
}

const stopMs = 15_000;
/** When to look again after an error, such as a store that can't be reached. */
const afterErrorMs = 2_000;

export function startConsumer(options: ConsumerOptions): Consumer {
  const { queue, handle, onError } = options;
  // A worker waits for Redis as long as it takes.
  const connection = connectRedis(
    options.redisUrl,
    { maxRetriesPerRequest: null, connectionName: `${queue}-worker` },
    onError,
  );
  const lockMs = options.lockMs ?? 30_000;
  const worker = new Worker<RecordJob>(
    queue,
    async (job, token) => {
      const againAtMs = await handle(job.data.id, job.data.traceparent).catch((error: Error) => {
        onError(error);
        return Date.now() + afterErrorMs;
      });
      if (againAtMs === null) return;
      await job.moveToDelayed(againAtMs, token);
      throw new DelayedError();
    },
    {
      connection,
      prefix: queuePrefix,
      concurrency: options.concurrency,
      ...(options.perSecond === null ? {} : { limiter: { max: options.perSecond, duration: 1_000 } }),
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      // The record says whether it may be tried again, not the number of workers that died over it.
      maxStalledCount: 1_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  );
  worker.on("error", onError);

  return {
    isReady: () => connection.status === "ready",
    async stop() {
      const stopped = worker.close();
      let timer: NodeJS.Timeout | undefined;
      // With Redis away, or a provider that hangs, there is an end to waiting: the record says what was begun.
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, stopMs);
      });
      await Promise.race([stopped.catch(onError), late]);
      clearTimeout(timer);
      connection.disconnect();
    },
  };
}
