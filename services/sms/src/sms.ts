/** The SMS worker: takes what was accepted to the provider, in lanes that share nothing: queue, workers, connections. */
import { createProducer, startConsumer, startSweeper } from "@parley/jobs";
import type { Logger, Metrics, Tracing } from "@parley/service-kit";
import type { SmsKind, SmsRecord, SmsStore } from "@parley/store";
import { createDeliver, type Deliver, type DeliverOptions } from "./deliver.ts";
import { createOptOuts } from "./opt-outs.ts";
import type { Callback } from "./providers/provider.ts";
import { traceProvider } from "./providers/trace-provider.ts";
import { addSmsMetrics, createAttemptCounts } from "./sms-metrics.ts";

export interface SmsOptions extends Omit<DeliverOptions, "onOutcome"> {
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing | null;
  redisUrl: string;
  lanes: { kind: SmsKind; concurrency: number; perSecond: number }[];
  sweepEveryMs: number;
  /** How long ended records are kept. */
  keepMs: number;
}

export interface Sms {
  deliver: Deliver;
  store: SmsStore;
  isReady(): boolean;
  /** Tries a dead letter, or one whose outcome is unknown, again from the start; null where it is neither. */
  replay(id: string): Promise<SmsRecord | null>;
  /** Takes in what the provider's callback says. */
  take(callback: Callback): Promise<void>;
  stop(): Promise<void>;
}

const removeEveryMs = 10 * 60_000;
const removedAtOnce = 1_000;

export function startSms(options: SmsOptions): Sms {
  const { store, logger, redisUrl, tracing } = options;
  const provider = tracing ? traceProvider(options.provider, tracing) : options.provider;
  const onError = (error: Error) => logger.warn({ err: error }, "the SMS queues");
  const attempts = createAttemptCounts();
  const deliver = createDeliver({ ...options, provider, onOutcome: attempts.add });
  const optOuts = createOptOuts(store);
  const producers = {
    transactional: createProducer({ redisUrl, queue: "sms-transactional", onError }),
    bulk: createProducer({ redisUrl, queue: "sms-bulk", onError }),
  };
  const consumers = options.lanes.map(({ kind, concurrency, perSecond }) =>
    startConsumer({
      redisUrl,
      queue: `sms-${kind}`,
      concurrency,
      perSecond,
      // A job whose process says nothing for this long goes to another one, which finds the attempt cut short by then.
      lockMs: options.policy.leaseMs,
      handle: (id, traceparent) => {
        if (!tracing || !traceparent) return deliver.step(id);
        return tracing.within(tracing.follow(traceparent, "sms worker: step"), () => deliver.step(id));
      },
      onError,
    }),
  );
  const sweeper = startSweeper<SmsRecord>({
    due: store.due,
    add: async (records) => {
      const added = await Promise.all(
        (["transactional", "bulk"] as const).map((kind) => {
          const ids = records.filter((record) => record.kind === kind).map(({ id }) => id);
          return ids.length === 0 || producers[kind].add(ids);
        }),
      );
      return added.every(Boolean);
    },
    seemComplete: async () => {
      const looks = await Promise.all(Object.values(producers).map((producer) => producer.look()));
      const jobs = looks.reduce((sum, { waiting, delayed, active }) => sum + waiting + delayed + active, 0);
      return jobs >= (await store.count("queued")) + (await store.count("sending"));
    },
    everyMs: options.sweepEveryMs,
    graceMs: options.sweepEveryMs / 2,
    onError,
  });
  addSmsMetrics(options.metrics, { store, attempts, queues: producers });
  let stopping = false;
  const removing = setInterval(() => {
    void store.removeOld(Date.now() - options.keepMs, removedAtOnce).catch(onError);
  }, removeEveryMs);

  return {
    deliver,
    store,
    // Not whether Redis can be reached: callbacks are taken all the same, and taking this away would help nobody.
    isReady: () => !stopping,
    async replay(id) {
      const before = await store.find(id);
      if (before?.status !== "failed" && before?.status !== "unknown") return null;
      const replayed = await deliver.settle(id, { kind: "replay" });
      if (replayed) producers[replayed.kind].nudge(id);
      return replayed;
    },
    async take(callback) {
      if (callback.kind === "incoming") return optOuts.take(callback.from, callback.text);
      const { id, providerId, outcome } = callback;
      const record =
        (id === null ? null : await store.find(id)) ??
        (providerId === null ? null : await store.findByProviderId(provider.name, providerId));
      // A receipt for what we never sent, or have forgotten: nobody is the wiser if we refuse it.
      if (record) await deliver.settle(record.id, outcome);
    },
    async stop() {
      stopping = true;
      clearInterval(removing);
      sweeper.stop();
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await Promise.all(Object.values(producers).map((producer) => producer.close()));
    },
  };
}
