import type { InternalApi } from "./internal-api.ts";
import type { Labels, Metrics } from "./metrics.ts";
import { createTally, type Tally } from "./tally.ts";

/** What an internal API did: calls by route and status, and how long they took. Routes as written, so that names make no series. */
export function addApiMetrics(api: InternalApi, metrics: Metrics): void {
  const counts = new Map<string, { labels: Labels; count: number }>();
  const tallies = new Map<string, { labels: Labels; tally: Tally }>();
  api.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "none";
    if (route === "/healthz" || route === "/readyz") return;
    const { method } = request;
    const status = String(reply.statusCode);
    const key = `${method} ${route} ${status}`;
    const counted = counts.get(key) ?? { labels: { method, route, status }, count: 0 };
    counted.count++;
    counts.set(key, counted);
    const timed = tallies.get(route) ?? { labels: { route }, tally: createTally() };
    timed.tally.add(reply.elapsedTime);
    tallies.set(route, timed);
  });
  metrics.counter("parley_api_requests_total", "Calls of the internal API by route and status", () =>
    Array.from(counts.values(), ({ labels, count }) => [labels, count] as const),
  );
  metrics.histogram("parley_api_request_seconds", "How long calls of the internal API took", () =>
    Array.from(tallies.values(), ({ labels, tally }) => [labels, tally] as const),
  );
}
