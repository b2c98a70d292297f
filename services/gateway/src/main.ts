import { connectBus } from "@parley/bus";
import { setLimits } from "@parley/protocol";
import { apiAccessOf, natsOptionsOf, runService, startTelemetry } from "@parley/service-kit";
import { createAuthenticate } from "./authenticate.ts";
import { createClientAddresses } from "./client-address.ts";
import { authenticateOptionsOf, limitsOf, readGatewayConfig, trustedProxiesOf } from "./config.ts";
import { createFallbackKeys } from "./fallback-keys.ts";
import { newNodeId, startGateway } from "./gateway.ts";
import { createGatewayApi } from "./internal-api.ts";
import { readOrigins } from "./origins.ts";
import { version } from "./version.ts";

await runService(async (lifecycle) => {
  const config = readGatewayConfig();
  setLimits(limitsOf(config));
  const telemetry = await startTelemetry({ service: "gateway", version, config, lifecycle });
  const { logger, metrics, tracing } = telemetry;
  const bus = await connectBus({
    ...natsOptionsOf(config),
    role: "gateway",
    name: `gateway-${config.INSTANCE}`,
    tracing,
    onError: (error) => logger.error({ err: error }, "NATS"),
  });
  lifecycle.onStop("bus", () => bus.close());
  const who = authenticateOptionsOf(config);
  const gateway = await startGateway({
    bus,
    logger,
    metrics,
    node: newNodeId(config.INSTANCE),
    host: config.HOST,
    port: config.PORT,
    authenticate: createAuthenticate(who),
    fallbackKeys: createFallbackKeys(who.guestKeys),
    allowedOrigins: readOrigins(config.ALLOWED_ORIGINS),
    addresses: createClientAddresses(trustedProxiesOf(config)),
    lobby: config.LOBBY_ROOM,
    rawRooms: config.RAW_ROOMS,
    presenceAllMax: config.PRESENCE_ALL_MAX,
    loadTest: config.LOAD_TEST,
    webDir: config.WEB_DIR,
  });
  lifecycle.onStop("gateway", () => gateway.stop());
  const api = await createGatewayApi({ gateway, telemetry, access: apiAccessOf(config), version });
  await api.listen({ host: config.INTERNAL_HOST, port: config.INTERNAL_PORT });
  lifecycle.onStop("internal API", () => api.close());
  lifecycle.onStop("connections", () => gateway.drain(config.DRAIN_MS));
  logger.info({ node: gateway.node, port: gateway.port, api: api.addresses()[0] }, "gateway ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
