/** The notify worker: takes in notifications and SMS, and sees to it that people are told. */
import {
  answerJson,
  type Bus,
  decodeJsonRequest,
  encodeJsonAnswer,
  type JsonAnswer,
  type NotifyRequest,
  serveWorker,
} from "@parley/bus";
import { createProducer, startConsumer, startSweeper } from "@parley/jobs";
import { type Preferences, Refusal } from "@parley/protocol";
import { addWorkerMetrics, createTally, type Logger, type Metrics, type Tracing, version } from "@parley/service-kit";
import type { NotificationRecord, Store } from "@parley/store";
import { type AcceptSms, checkNumber, createAcceptSms, type SmsLimits } from "./accept-sms.ts";
import { serveForget } from "./forget.ts";
import { serveKept } from "./kept.ts";
import { createNotifications, type Notifications } from "./notifications.ts";
import { addNotifyMetrics } from "./notify-metrics.ts";
import { listenToSaid } from "./said.ts";
import type { SendWebhook } from "./send-webhook.ts";
import { followTickets } from "./told-tickets.ts";

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
  smsLimits: SmsLimits;
  sendWebhook: SendWebhook | null;
  /** People may say what their phone number is, unchecked. */
  phonesByUser: boolean;
  /** How long somebody has to see a notification in the app before other channels are used. */
  unseenMs: number;
  /** How long somebody who is in a room has to read a message, and is then not told of it. */
  seenMs: number;
  sweepEveryMs: number;
  /** How long ended notifications are kept. */
  keepMs: number;
}

export interface Notify {
  acceptSms: AcceptSms;
  notifications: Notifications;
  notices: NotifyOptions["notices"];
  /** Sets a user's preferences; a phone number is checked. */
  prefer(user: string, changes: Partial<Preferences>, phoneToo: boolean): Promise<Preferences>;
  isReady(): boolean;
  stop(): Promise<void>;
}

const concurrency = 20;
/** Characters of a notification's SMS: two parts of GSM-7. */
const smsChars = 306;
/** Agents hear of a ticket at once where they are; this is for their list. */
const followEveryMs = 1_000;
const removeEveryMs = 10 * 60_000;
const removedAtOnce = 1_000;

export async function startNotify(options: NotifyOptions): Promise<Notify> {
  const { bus, store, notices, redisUrl, logger, metrics, tracing } = options;
  const onError = (error: unknown) => logger.warn({ err: error }, "the queues");
  const producers = {
    transactional: createProducer({ redisUrl, queue: "sms-transactional", onError }),
    bulk: createProducer({ redisUrl, queue: "sms-bulk", onError }),
    notifications: createProducer({ redisUrl, queue: "notifications", onError }),
  };
  const acceptSms = createAcceptSms({
    store: notices.sms,
    limits: options.smsLimits,
    nudge: ({ id, kind }) => producers[kind].nudge(id, tracing?.current()?.traceparent),
  });
  const notifications = createNotifications({
    ...{ bus, store, notices, acceptSms, smsChars },
    sendWebhook: options.sendWebhook,
    unseenMs: options.unseenMs,
    nudge: producers.notifications.nudge,
  });
  const consumer = startConsumer({
    ...{ redisUrl, queue: "notifications", concurrency, perSecond: null, onError },
    handle: notifications.step,
  });
  const sweeper = startSweeper<NotificationRecord>({
    due: notices.notifications.due,
    add: (records) => producers.notifications.add(records.map(({ id }) => id)),
    everyMs: options.sweepEveryMs,
    graceMs: options.sweepEveryMs / 2,
    onError,
  });
  const said = listenToSaid({ bus, store, notifications, seenMs: options.seenMs, onError });
  const tickets = followTickets({ store, notifications });
  const following = setInterval(() => void tickets.follow().catch(onError), followEveryMs);
  const removing = setInterval(() => {
    void notices.notifications.removeOld(Date.now() - options.keepMs, removedAtOnce).catch(onError);
  }, removeEveryMs);

  const prefer: Notify["prefer"] = async (user, changes, phoneToo) => {
    const { phone } = changes;
    if (phone !== undefined && !phoneToo)
      throw new Refusal("forbidden", "Your phone number comes from the application, not from you");
    if (typeof phone === "string") checkNumber(phone, options.smsLimits.blockedCountries, "phone");
    return notifications.prefer(user, changes);
  };

  const answer = async (request: NotifyRequest): Promise<JsonAnswer> => {
    switch (request.kind) {
      case "list":
        return answerJson(await notifications.list(request.user, request.next, request.unreadOnly));
      case "read":
        return answerJson(await notifications.read(request.user, request.id, request.session));
      case "preferences":
        return answerJson(await notifications.preferencesOf(request.user));
      case "prefer":
        return answerJson(await prefer(request.user, request.changes, options.phonesByUser));
    }
  };

  const batches = createTally();
  const served = await serveWorker<NotifyRequest, JsonAnswer>({
    ...{ bus, service: "notify", worker: options.worker, version },
    description: "Notifications, preferences, and SMS taken in",
    decode: decodeJsonRequest<NotifyRequest>,
    encode: encodeJsonAnswer,
    handle: answer,
    onBatch: batches.add,
    onError: (error, what, unavailable) => logger[unavailable ? "warn" : "error"]({ err: error }, what),
  });
  addWorkerMetrics(metrics, served, batches);
  addNotifyMetrics(metrics, { store: notices.notifications, queue: producers.notifications });

  const forget = serveForget({
    ...{ bus, notices },
    onError: (error) => logger.error({ err: error }, "a person could not be forgotten"),
  });

  const kept = serveKept({
    ...{ bus, notices },
    onError: (error) => logger.error({ err: error }, "what is kept of a person could not be told"),
  });

  return {
    ...{ acceptSms, notifications, notices, prefer },
    isReady: () => bus.isConnected(),
    async stop() {
      clearInterval(following);
      clearInterval(removing);
      sweeper.stop();
      forget.close();
      kept.close();
      await served.stop();
      await said.stop();
      await consumer.stop();
      await Promise.all(Object.values(producers).map((producer) => producer.close()));
    },
  };
}
