/**
 * What every process of Node can tell of itself, under the names that dashboards know. Own, and not the client library's
 * set: that one lists all open descriptors at each scrape, which stops a gateway with many connections for milliseconds.
 */
import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from "node:perf_hooks";
import type { Labels, Metrics } from "./metrics.ts";
import { createTally, type Tally } from "./tally.ts";

const windowMs = 5_000;
const resolutionMs = 10;

const gcKinds: Record<number, string> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

export function addProcessMetrics(metrics: Metrics, version: string): void {
  const startedAtSeconds = Math.round((Date.now() - performance.now()) / 1_000);
  metrics.gauge("parley_build_info", "Version of Parley and of Node", () => [
    [{ version, node: process.versions.node }, 1],
  ]);
  metrics.gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since 1970",
    () => startedAtSeconds,
  );
  metrics.counter("process_cpu_seconds_total", "Processor time used", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge("process_resident_memory_bytes", "Memory held", () => process.memoryUsage.rss());
  metrics.gauge("nodejs_heap_size_used_bytes", "JavaScript heap in use", () => process.memoryUsage().heapUsed);
  metrics.gauge("nodejs_external_memory_bytes", "Memory outside the heap", () => process.memoryUsage().external);
  addLoopDelay(metrics);
  addGarbageCollection(metrics);
}

/**
 * Of the last whole window of 5 s, so that it does not matter who asks and how often. A timer due every 10 ms measures it;
 * what it is late is the delay.
 */
function addLoopDelay(metrics: Metrics): void {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1_000);
  let last = { p50: 0, p99: 0, max: 0, utilization: 0 };
  let before = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    last = {
      p50: late(histogram.percentile(50)),
      p99: late(histogram.percentile(99)),
      max: late(histogram.max),
      utilization: performance.eventLoopUtilization(now, before).utilization,
    };
    before = now;
    histogram.reset();
  }, windowMs);
  timer.unref();
  metrics.gauge("parley_loop_delay_seconds", "How late the event loop was in the last 5 s", () => [
    [{ quantile: "0.5" }, last.p50],
    [{ quantile: "0.99" }, last.p99],
    [{ quantile: "1" }, last.max],
  ]);
  metrics.gauge(
    "parley_loop_utilization_ratio",
    "Share of the last 5 s that the event loop was busy",
    () => last.utilization,
  );
}

function addGarbageCollection(metrics: Metrics): void {
  const tallies = new Map<string, Tally>();
  for (const kind of Object.values(gcKinds)) tallies.set(kind, createTally([0.001, 0.01, 0.1, 1, 2]));
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
      tallies.get(gcKinds[kind] ?? "")?.add(entry.duration);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  metrics.histogram("nodejs_gc_duration_seconds", "Time spent in garbage collections", () =>
    Array.from(tallies, ([kind, tally]): [Labels, Tally] => [{ kind }, tally]),
  );
}
