import { randomBytes } from "node:crypto";
import { connectBus } from "@parley/bus";
import { apiAccessOf, natsOptionsOf, runService, startTelemetry, storeOptions } from "@parley/service-kit";
import { openStore } from "@parley/store";
import { createAskApplication } from "./ask-application.ts";
import { startChat } from "./chat.ts";
import { authorizingOf, readChatConfig } from "./config.ts";
import { createChatApi } from "./internal-api.ts";
import { version } from "./version.ts";

await runService(async (lifecycle) => {
  const config = readChatConfig();
  const telemetry = await startTelemetry({ service: "chat", version, config, lifecycle });
  const { logger, metrics, tracing } = telemetry;
  const bus = await connectBus({
    ...natsOptionsOf(config),
    role: "chat",
    name: `chat-${config.INSTANCE}`,
    tracing,
    onError: (error) => logger.error({ err: error }, "NATS"),
  });
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL, storeOptions(config));
  lifecycle.onStop("store", () => store.close());
  const authorizing = authorizingOf(config);
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
  const api = await createChatApi({ chat, telemetry, access: apiAccessOf(config), version });
  await api.listen({ host: config.INTERNAL_HOST, port: config.INTERNAL_PORT });
  lifecycle.onStop("internal API", () => api.close());
  logger.info({ api: api.addresses()[0] }, "chat worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
