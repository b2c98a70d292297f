import type { Metrics } from "@parley/service-kit";
import type { Running } from "./running.ts";
import type { Timers } from "./timers.ts";

export function addTimerMetrics(metrics: Metrics, { running, timers }: { running: Running; timers: Timers }): void {
  metrics.gauge("parley_timer_running", "Running timers that this worker ticks", () => running.size());
  metrics.counter("parley_timer_ticks_total", "Ticks told", () => running.counts.ticks);
  metrics.histogram(
    "parley_timer_tick_lateness_seconds",
    "From the moment of a tick to its telling",
    () => running.lateness,
  );
  metrics.counter("parley_timer_changes_total", "Changes stored", () => timers.counts.changes);
  metrics.counter(
    "parley_timer_conflicts_total",
    "Changes that somebody else was quicker with",
    () => timers.counts.conflicts,
  );
  metrics.counter("parley_timer_finished_total", "Timers that ended by themselves", () => timers.counts.finished);
  metrics.counter(
    "parley_timer_standstills_total",
    "Times that this process stood still and read its timers anew",
    () => running.counts.standstills,
  );
}
