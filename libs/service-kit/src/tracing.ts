/**
 * Traces by OpenTelemetry, sent to a collector by OTLP over HTTP. Where no endpoint is set nothing of it is loaded and `tracing`
 * is null. Where one is set, a share of what clients ask is traced, decided by one random number where a trace would begin.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Logger } from "./logger.ts";

export interface Span {
  /** As the W3C's header of that name. */
  readonly traceparent: string;
  end(error?: unknown): void;
}

export interface Tracing {
  /** A span within the one under way, or the first of a trace; null when this one is not sampled. */
  start(name: string): Span | null;
  /** A span within the one under way; null where none is. */
  child(name: string): Span | null;
  /** A span that goes on from elsewhere; a header that is none begins a trace. */
  follow(traceparent: string, name: string): Span;
  /** Runs `work` within the span and ends the span with it. */
  within<T>(span: Span, work: () => Promise<T>): Promise<T>;
  /** Runs `work` within the span, which its caller ends. */
  enter<T>(span: Span, work: () => T): T;
  /** The span under way. */
  current(): Span | null;
  /** Sends what waits. */
  close(): Promise<void>;
}

export interface TracingOptions {
  service: string;
  version: string;
  instance: string;
  /** Of the collector, without a path: `http://collector:4318`. */
  endpoint: string;
  /** Share of traces kept, 0 to 1. */
  ratio: number;
  /** Called late: the logger itself asks the tracing for its ids. */
  logger: () => Logger;
}

const header = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const [{ diag, DiagLogLevel, ROOT_CONTEXT, SpanStatusCode, trace }, sdk, { resourceFromAttributes }, otlp] =
    await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/exporter-trace-otlp-http"),
    ]);
  const say = (message: string, ...rest: unknown[]) => options.logger().warn({ detail: rest }, `traces: ${message}`);
  const silent = () => {};
  diag.setLogger({ error: say, warn: say, info: silent, debug: silent, verbose: silent }, DiagLogLevel.WARN);
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({
      "service.namespace": "parley",
      "service.name": options.service,
      "service.version": options.version,
      "service.instance.id": options.instance,
    }),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: new otlp.OTLPTraceExporter({ url: `${options.endpoint.replace(/\/$/, "")}/v1/traces` }),
        scheduledDelayMillis: 1_000,
      }),
    ],
  });
  const tracer = provider.getTracer("parley", options.version);
  const storage = new AsyncLocalStorage<Span>();

  const open = (name: string, traceparent: string | null): Span => {
    const parent = traceparent === null ? null : header.exec(traceparent);
    const context = parent
      ? trace.setSpanContext(ROOT_CONTEXT, {
          traceId: parent[1] as string,
          spanId: parent[2] as string,
          traceFlags: Number.parseInt(parent[3] as string, 16),
          isRemote: true,
        })
      : ROOT_CONTEXT;
    const span = tracer.startSpan(name, {}, context);
    const { traceId, spanId } = span.spanContext();
    let ended = false;
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      end(error) {
        if (ended) return;
        ended = true;
        if (error !== undefined)
          span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : String(error) });
        span.end();
      },
    };
  };

  const child = (name: string): Span | null => {
    const current = storage.getStore();
    return current ? open(name, current.traceparent) : null;
  };

  return {
    child,
    start: (name) => child(name) ?? (Math.random() < options.ratio ? open(name, null) : null),
    follow: (traceparent, name) => open(name, traceparent),
    async within(span, work) {
      try {
        const result = await storage.run(span, work);
        span.end();
        return result;
      } catch (error) {
        span.end(error);
        throw error;
      }
    },
    enter: (span, work) => storage.run(span, work),
    current: () => storage.getStore() ?? null,
    close: () => provider.shutdown(),
  };
}
