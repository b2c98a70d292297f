import { randomBytes } from "node:crypto";
import { connectBus } from "@parley/bus";
import { createLogger, createMetrics, natsOptionsOf, runService } from "@parley/service-kit";
import { openStore } from "@parley/store";
import { readTimerConfig } from "./config.ts";
import { createTimerApi } from "./internal-api.ts";
import { startTimer } from "./timer.ts";
import { version } from "./version.ts";

await runService(async (lifecycle) => {
  const config = readTimerConfig();
  const logger = createLogger({ service: "timer", instance: config.INSTANCE, level: config.LOG_LEVEL });
  const metrics = createMetrics({ service: "timer", version, logger });
  const bus = await connectBus({
    ...natsOptionsOf(config),
    role: "timer",
    name: `timer-${config.INSTANCE}`,
    onError: (error) => logger.error({ err: error }, "NATS"),
  });
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL);
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
  const api = await createTimerApi({ timer, logger, token: config.INTERNAL_TOKEN, version });
  await api.listen({ host: config.INTERNAL_HOST, port: config.INTERNAL_PORT });
  lifecycle.onStop("internal API", () => api.close());
  const scraped = await metrics.listen({ host: config.INTERNAL_HOST, port: config.METRICS_PORT });
  lifecycle.onStop("metrics", () => scraped.close());
  logger.info({ api: api.addresses()[0], metricsPort: scraped.port }, "timer worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
