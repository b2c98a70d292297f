import { randomBytes } from "node:crypto";
import { connectBus } from "@parley/bus";
import { apiAccessOf, natsOptionsOf, runService, startTelemetry, storeOptions } from "@parley/service-kit";
import { openStore } from "@parley/store";
import { readPresenceConfig } from "./config.ts";
import { connectRedis } from "./connect-redis.ts";
import { createPresenceApi } from "./internal-api.ts";
import { startPresence } from "./presence.ts";
import { version } from "./version.ts";

await runService(async (lifecycle) => {
  const config = readPresenceConfig();
  const telemetry = await startTelemetry({ service: "presence", version, config, lifecycle });
  const { logger, metrics, tracing } = telemetry;
  const bus = await connectBus({
    ...natsOptionsOf(config),
    role: "presence",
    name: `presence-${config.INSTANCE}`,
    tracing,
    onError: (error) => logger.error({ err: error }, "NATS"),
  });
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL, storeOptions(config));
  lifecycle.onStop("store", () => store.close());
  const connection = connectRedis({
    url: config.REDIS_URL,
    onError: (error) => logger.warn({ err: error }, "Redis can't be reached: presence is frozen"),
  });
  lifecycle.onStop("Redis", () => connection.close());
  // Without Redis it starts none the less, and says that presence is frozen.
  await connection.whenUp(2_000);
  const presence = await startPresence({
    bus,
    store,
    connection,
    logger,
    metrics,
    version,
    // A name of its own for every life: a restarted worker is another one to those who ask.
    worker: `${config.INSTANCE}-${randomBytes(5).toString("hex")}`,
    graceMs: config.GRACE_MS,
    leaseMs: config.LEASE_MS,
  });
  lifecycle.onStop("presence", () => presence.stop());
  const api = await createPresenceApi({ presence, telemetry, access: apiAccessOf(config), version });
  await api.listen({ host: config.INTERNAL_HOST, port: config.INTERNAL_PORT });
  lifecycle.onStop("internal API", () => api.close());
  logger.info({ api: api.addresses()[0] }, "presence worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
