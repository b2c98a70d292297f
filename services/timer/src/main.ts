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
import { readTimerConfig } from "./config.ts";
import { createTimerApi } from "./internal-api.ts";
import { startTimer } from "./timer.ts";

await runService(async (lifecycle) => {
  const config = readTimerConfig();
  const telemetry = await startTelemetry({ service: "timer", config, lifecycle });
  const { logger, metrics } = telemetry;
  const bus = await connectBus(busOptionsOf("timer", config, telemetry));
  lifecycle.onStop("bus", () => bus.close());
  const store = await openStore(config.STORE_URL, storeOptions(config));
  lifecycle.onStop("store", () => store.close());
  const timer = await startTimer({
    bus,
    store,
    logger,
    metrics,
    worker: newWorkerName(config.INSTANCE),
  });
  lifecycle.onStop("timer", () => timer.stop());
  const api = await createTimerApi({ timer, telemetry, access: apiAccessOf(config) });
  const address = await serveInternalApi(api, config, lifecycle);
  logger.info({ api: address }, "timer worker ready");
  return { logger, parentPipe: config.PARENT_PIPE };
});
