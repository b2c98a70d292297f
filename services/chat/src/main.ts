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
import { createAskApplication } from "./ask-application.ts";
import { startChat } from "./chat.ts";
import { authorizingOf, readChatConfig } from "./config.ts";
import { createChatApi } from "./internal-api.ts";

await runService(async (lifecycle) => {
  const config = readChatConfig();
  const telemetry = await startTelemetry({ service: "chat", config, lifecycle });
  const { logger, metrics } = telemetry;
  const bus = await connectBus(busOptionsOf("chat", config, telemetry));
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL, storeOptions(config));
  lifecycle.onStop("store", () => store.close());
  const authorizing = authorizingOf(config);
  const chat = await startChat({
    bus,
    store,
    logger,
    metrics,
    worker: newWorkerName(config.INSTANCE),
    roomsByUse: config.ROOMS_BY_USE,
    announceMembersMax: config.ANNOUNCE_MEMBERS_MAX,
    askApplication:
      authorizing === null
        ? null
        : createAskApplication({
            ...authorizing,
            onError: (error) => logger.warn({ err: error }, "the application did not say who may"),
          }),
    sweepEveryMs: config.SWEEP_EVERY_MS,
  });
  lifecycle.onStop("chat", () => chat.stop());
  const api = await createChatApi({ chat, telemetry, access: apiAccessOf(config) });
  const address = await serveInternalApi(api, config, lifecycle);
  logger.info({ api: address }, "chat worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
