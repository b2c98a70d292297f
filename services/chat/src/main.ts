import { randomBytes } from "node:crypto";
import { connectBus } from "@parley/bus";
import { createLogger, createMetrics, natsOptionsOf, runService } from "@parley/service-kit";
import { openStore } from "@parley/store";
import { startChat } from "./chat.ts";
import { readChatConfig } from "./config.ts";
import { createChatApi } from "./internal-api.ts";
import { version } from "./version.ts";

await runService(async (lifecycle) => {
  const config = readChatConfig();
  const logger = createLogger({ service: "chat", instance: config.INSTANCE, level: config.LOG_LEVEL });
  const metrics = createMetrics({ service: "chat", version, logger });
  const bus = await connectBus({
    ...natsOptionsOf(config),
    role: "chat",
    name: `chat-${config.INSTANCE}`,
    onError: (error) => logger.error({ err: error }, "NATS"),
  });
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL);
  lifecycle.onStop("store", () => store.close());
  const chat = await startChat({
    bus,
    store,
    logger,
    metrics,
    version,
    // A name of its own for every life: a restarted worker is another one to those who ask.
    worker: `${config.INSTANCE}-${randomBytes(5).toString("hex")}`,
    roomsByUse: config.ROOMS_BY_USE,
    announceMembersMax: config.ANNOUNCE_MEMBERS_MAX,
    sweepEveryMs: config.SWEEP_EVERY_MS,
  });
  lifecycle.onStop("chat", () => chat.stop());
  const api = await createChatApi({ chat, logger, token: config.INTERNAL_TOKEN, version });
  await api.listen({ host: config.INTERNAL_HOST, port: config.INTERNAL_PORT });
  lifecycle.onStop("internal API", () => api.close());
  const scraped = await metrics.listen({ host: config.INTERNAL_HOST, port: config.METRICS_PORT });
  lifecycle.onStop("metrics", () => scraped.close());
  logger.info({ api: api.addresses()[0], metricsPort: scraped.port }, "chat worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
