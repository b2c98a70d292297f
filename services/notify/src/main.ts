import { connectBus, newWorkerName } from "@parley/bus";
import {
  apiAccessOf,
  busOptionsOf,
  ConfigError,
  runService,
  serveInternalApi,
  startTelemetry,
  storeOptions,
} from "@parley/service-kit";
import { openStore } from "@parley/store";
import { readNotifyConfig } from "./config.ts";
import { createNotifyApi } from "./internal-api.ts";
import { startNotify } from "./notify.ts";
import { createSendWebhook } from "./send-webhook.ts";

const hourMs = 60 * 60_000;

await runService(async (lifecycle) => {
  const config = readNotifyConfig();
  const telemetry = await startTelemetry({ service: "notify", config, lifecycle });
  const { logger, metrics, tracing } = telemetry;
  const bus = await connectBus(busOptionsOf("notify", config, telemetry));
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL, storeOptions(config));
  lifecycle.onStop("store", () => store.close());
  const notices =
    config.NOTICE_STORE_URL === undefined ? store : await openStore(config.NOTICE_STORE_URL, storeOptions(config));
  if (notices !== store) lifecycle.onStop("notices", () => notices.close());
  const { NOTIFY_WEBHOOK_URL: url, NOTIFY_WEBHOOK_SECRET: secret } = config;
  if (url !== undefined && secret === undefined)
    throw new ConfigError("NOTIFY_WEBHOOK_URL needs NOTIFY_WEBHOOK_SECRET");
  const webhook = url !== undefined && secret !== undefined ? createSendWebhook({ url, secret }) : null;
  const notify = await startNotify({
    ...{ bus, store, notices, logger, metrics, tracing },
    redisUrl: config.REDIS_URL,
    worker: newWorkerName(config.INSTANCE),
    smsLimits: {
      segmentsMax: config.SMS_SEGMENTS_MAX,
      blockedCountries: new Set(config.SMS_BLOCKED_COUNTRIES.toUpperCase().split(",")),
      perNumber: config.SMS_PER_NUMBER,
      perNumberMs: hourMs,
    },
    sendWebhook: webhook,
    phonesByUser: config.PHONES_BY_USER,
    unseenMs: config.NOTIFY_UNSEEN_MS,
    seenMs: config.NOTIFY_SEEN_MS,
    sweepEveryMs: config.NOTIFY_SWEEP_EVERY_MS,
    keepMs: config.NOTIFY_KEEP_DAYS * 24 * hourMs,
  });
  lifecycle.onStop("notify", () => notify.stop());
  const api = await createNotifyApi({ notify, telemetry, access: apiAccessOf(config) });
  const address = await serveInternalApi(api, config, lifecycle);
  logger.info({ api: address }, "notify worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
