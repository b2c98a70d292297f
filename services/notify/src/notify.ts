/** The notify worker: takes in notifications and SMS, and sees to it that people are told. */
import type { Bus } from "@parley/bus";
import { createProducer } from "@parley/jobs";
import type { Logger, Metrics, Tracing } from "@parley/service-kit";
import type { Store } from "@parley/store";
import { type AcceptSms, createAcceptSms, type SmsLimits } from "./accept-sms.ts";

export interface NotifyOptions {
  bus: Bus;
  /** Rooms, users and tickets, which are others' to write. */
  store: Pick<Store, "rooms" | "users" | "tickets">;
  notices: Pick<Store, "notifications" | "sms">;
  redisUrl: string;
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing | null;
  worker: string;
  version: string;
  smsLimits: SmsLimits;
}

export interface Notify {
  acceptSms: AcceptSms;
  notices: NotifyOptions["notices"];
  isReady(): boolean;
  stop(): Promise<void>;
}

export async function startNotify(options: NotifyOptions): Promise<Notify> {
  const { bus, notices, redisUrl, logger, tracing } = options;
  const onError = (error: Error) => logger.warn({ err: error }, "the queues");
  const producers = {
    transactional: createProducer({ redisUrl, queue: "sms-transactional", onError }),
    bulk: createProducer({ redisUrl, queue: "sms-bulk", onError }),
  };
  const acceptSms = createAcceptSms({
    store: notices.sms,
    limits: options.smsLimits,
    nudge: ({ id, kind }) => producers[kind].nudge(id, tracing?.current()?.traceparent),
  });

  return {
    acceptSms,
    notices,
    isReady: () => bus.isConnected(),
    async stop() {
      await Promise.all(Object.values(producers).map((producer) => producer.close()));
    },
  };
}
