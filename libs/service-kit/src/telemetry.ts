/** What every service tells of itself: logs, metrics, traces. */
import type { CommonSettings } from "./config.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { createLogger, type Logger } from "./logger.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { startTracing, type Tracing } from "./tracing.ts";
import { version } from "./version.ts";

export interface Telemetry {
  logger: Logger;
  metrics: Metrics;
  /** Null unless an endpoint is set. */
  tracing: Tracing | null;
}

/** Logs from now on, serves `/metrics` on its port, and sends traces where that is wanted. Ends after all else has. */
export async function startTelemetry(options: {
  service: string;
  config: CommonSettings;
  lifecycle: Lifecycle;
}): Promise<Telemetry> {
  const { service, config, lifecycle } = options;
  let tracing: Tracing | null = null;
  const traceIds = () => {
    const traceparent = tracing?.current()?.traceparent;
    return traceparent ? { trace_id: traceparent.slice(3, 35), span_id: traceparent.slice(36, 52) } : {};
  };
  const logger: Logger = createLogger({
    ...{ service, instance: config.INSTANCE, level: config.LOG_LEVEL },
    ...(config.OTEL_EXPORTER_OTLP_ENDPOINT ? { traceIds } : {}),
  });
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT) {
    const started = await startTracing({
      ...{ service, version, instance: config.INSTANCE, ratio: config.TRACE_RATIO },
      endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
      logger: () => logger,
    });
    tracing = started;
    lifecycle.onStop("traces", () => started.close());
  }
  const metrics = createMetrics({ service, version, logger });
  const scraped = await metrics.listen({ host: config.INTERNAL_HOST, port: config.METRICS_PORT });
  lifecycle.onStop("metrics", () => scraped.close());
  switchLevelBySignal(logger, config.LOG_LEVEL);
  return { logger, metrics, tracing };
}

/** SIGUSR2 turns `debug` on, and off again; PUT /v1/log-level of the internal API sets any level. */
function switchLevelBySignal(logger: Logger, configured: string): void {
  process.on("SIGUSR2", () => {
    logger.level = logger.level === "debug" ? configured : "debug";
    logger.info({ level: logger.level }, "log level changed by SIGUSR2");
  });
}
