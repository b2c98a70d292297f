import { connectBus } from "@parley/bus";
import { setLimits } from "@parley/protocol";
import { apiAccessOf, busOptionsOf, runService, serveInternalApi, startTelemetry } from "@parley/service-kit";
import { createAuthenticate } from "./authenticate.ts";
import { createClientAddresses } from "./client-address.ts";
import { authenticateOptionsOf, limitsOf, readGatewayConfig, trustedProxiesOf } from "./config.ts";
import { createFallbackKeys } from "./fallback-keys.ts";
import { newNodeId, startGateway } from "./gateway.ts";
import { createGatewayApi } from "./internal-api.ts";
import { readOrigins } from "./origins.ts";

await runService(async (lifecycle) => {
  const config = readGatewayConfig();
  setLimits(limitsOf(config));
  const telemetry = await startTelemetry({ service: "gateway", config, lifecycle });
  const { logger, metrics } = telemetry;
  const bus = await connectBus(busOptionsOf("gateway", config, telemetry));
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
  const api = await createGatewayApi({ gateway, telemetry, access: apiAccessOf(config) });
  const address = await serveInternalApi(api, config, lifecycle);
  lifecycle.onStop("connections", () => gateway.drain(config.DRAIN_MS));
  logger.info({ node: gateway.node, port: gateway.port, api: address }, "gateway ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
