import type { Producer } from "@parley/jobs";
import type { Metrics } from "@parley/service-kit";
import type { NotificationStore } from "@parley/store";

/** What Prometheus hears of notifications: the queue, and what has not ended well. */
export function addNotifyMetrics(metrics: Metrics, parts: { store: NotificationStore; queue: Producer }): void {
  const { store, queue } = parts;
  metrics.gauge("parley_notify_queue_jobs", "Jobs of the notifications' queue by state", async () => {
    const { waiting, delayed, active } = await queue.look();
    return Object.entries({ waiting, delayed, active }).map(([state, n]) => [{ state }, n] as const);
  });
  metrics.gauge("parley_notify_queue_oldest_seconds", "How long the oldest waiting job has waited", async () => {
    const { oldestMs } = await queue.look();
    return oldestMs / 1000;
  });
  metrics.gauge("parley_notifications", "Notifications that wait for their time", async () => store.count("waiting"));
}
