import {
  apiAccessOf,
  busOptionsOf,
  runService,
  serveInternalApi,
  startTelemetry,
  storeOptions,
} from "@parley/service-kit";
import { openStore } from "@parley/store";
import { readSmsConfig } from "./config.ts";
import { createProvider } from "./create-provider.ts";
import { createSmsApi } from "./internal-api.ts";
import { startPhones } from "./phones.ts";
import { startSms } from "./sms.ts";

const dayMs = 24 * 60 * 60_000;
/** What an attempt may take beyond the provider's own time, until it counts as cut short. */
const leaseMarginMs = 5_000;

await runService(async (lifecycle) => {
  const config = readSmsConfig();
  const telemetry = await startTelemetry({ service: "sms", config, lifecycle });
  const { logger, metrics, tracing } = telemetry;
  const store = await openStore(config.NOTICE_STORE_URL, storeOptions(config));
  lifecycle.onStop("store", () => store.close());
  const phones = config.SMS_PHONES
    ? await startPhones({
        bus: busOptionsOf("sms", config, telemetry),
        store: store.notifications,
      })
    : null;
  lifecycle.onStop("phones", () => phones?.close());
  const provider = await createProvider(config, phones?.show);
  const lanes = [
    { kind: "transactional" as const, perSecond: config.SMS_TRANSACTIONAL_PER_SECOND },
    { kind: "bulk" as const, perSecond: config.SMS_BULK_PER_SECOND },
  ];
  const sms = startSms({
    store: store.sms,
    provider,
    logger,
    metrics,
    tracing,
    redisUrl: config.REDIS_URL,
    providerTimeoutMs: config.SMS_TIMEOUT_MS,
    policy: {
      attempts: config.SMS_ATTEMPTS,
      leaseMs: config.SMS_TIMEOUT_MS + leaseMarginMs,
      retryMs: config.SMS_RETRY_MS,
      retryMaxMs: config.SMS_RETRY_MAX_MS,
      settleAfterMs: config.SMS_SETTLE_MS,
      settleTries: 3,
      canLookUp: provider.lookUp !== undefined,
    },
    lanes: lanes
      .filter(({ kind }) => config.SMS_LANES === "both" || config.SMS_LANES === kind)
      .map((lane) => ({ ...lane, concurrency: config.SMS_CONCURRENCY })),
    sweepEveryMs: config.SMS_SWEEP_EVERY_MS,
    keepMs: config.SMS_KEEP_DAYS * dayMs,
  });
  lifecycle.onStop("sms", () => sms.stop());
  const api = await createSmsApi({
    ...{ sms, provider, telemetry },
    redisUrl: config.REDIS_URL,
    access: apiAccessOf(config),
  });
  const address = await serveInternalApi(api, config, lifecycle);
  logger.info({ api: address, provider: provider.name }, "SMS worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
