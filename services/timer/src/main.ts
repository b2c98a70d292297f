import { randomBytes } from "node:crypto";
import { connectBus } from "@parley/bus";
import { apiAccessOf, natsOptionsOf, runService, startTelemetry, storeOptions } from "@parley/service-kit";
import { openStore } from "@parley/store";
import { readTimerConfig } from "./config.ts";
import { createTimerApi } from "./internal-api.ts";
import { startTimer } from "./timer.ts";
import { version } from "./version.ts";

await runService(async (lifecycle) => {
  const config = readTimerConfig();
  const telemetry = await startTelemetry({ service: "timer", version, config, lifecycle });
  const { logger, metrics, tracing } = telemetry;
  const bus = await connectBus({
    ...natsOptionsOf(config),
    role: "timer",
    name: `timer-${config.INSTANCE}`,
    tracing,
    onError: (error) => logger.error({ err: error }, "NATS"),
  });
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL, storeOptions(config));
  lifecycle.onStop("store", () => store.close());
  const timer = await startTimer({
    bus,
    store,
    logger,
    metrics,
    version,
    // A name of its own for every life: a restarted worker is another one to those who ask.
    worker: `${config.INSTANCE}-${randomBytes(5).toString("hex")}`,
  });
  lifecycle.onStop("timer", () => timer.stop());
  const api = await createTimerApi({ timer, telemetry, access: apiAccessOf(config), version });
  await api.listen({ host: config.INTERNAL_HOST, port: config.INTERNAL_PORT });
  lifecycle.onStop("internal API", () => api.close());
  logger.info({ api: api.addresses()[0] }, "timer worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
