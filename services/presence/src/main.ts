import { connectBus, newWorkerName } from "@parley/bus";
import {
  apiAccessOf,
  busOptionsOf,
  runService,
  serveInternalApi,
  startTelemetry,
  storeOptions,
} from "@parley/service-kit";
import { openStore } from "@parley/store";
import { readPresenceConfig } from "./config.ts";
import { connectRedis } from "./connect-redis.ts";
import { createPresenceApi } from "./internal-api.ts";
import { startPresence } from "./presence.ts";

await runService(async (lifecycle) => {
  const config = readPresenceConfig();
  const telemetry = await startTelemetry({ service: "presence", config, lifecycle });
  const { logger, metrics } = telemetry;
  const bus = await connectBus(busOptionsOf("presence", config, telemetry));
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
    worker: newWorkerName(config.INSTANCE),
    graceMs: config.GRACE_MS,
    leaseMs: config.LEASE_MS,
  });
  lifecycle.onStop("presence", () => presence.stop());
  const api = await createPresenceApi({ presence, telemetry, access: apiAccessOf(config) });
  const address = await serveInternalApi(api, config, lifecycle);
  logger.info({ api: address }, "presence worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
