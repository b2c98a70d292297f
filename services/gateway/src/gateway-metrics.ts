import type { Metrics, Tally } from "@parley/service-kit";
import type { GatewayStats } from "./gateway.ts";
import type { RelayCounts } from "./relay.ts";
import type { Session, Transport } from "./session.ts";

export interface GatewayFigures {
  stats: () => GatewayStats;
  sessions: () => Iterable<Session>;
  relayed: RelayCounts;
  /** How long workers took to answer, by service. */
  asked: Record<string, Tally>;
}

export function addGatewayMetrics(metrics: Metrics, { stats, sessions, relayed, asked }: GatewayFigures): void {
  const { counter, gauge, histogram } = metrics;
  const labelled = <Value>(label: string, values: Iterable<readonly [string, Value]>) =>
    Array.from(values, ([name, value]) => [{ [label]: name }, value] as const);

  gauge("parley_gateway_connections", "Open connections by transport", () => {
    const counts: Record<Transport | "raw", number> = {
      websocket: stats().silent,
      fallback: 0,
      "socket.io": 0,
      raw: stats().rawSockets,
    };
    for (const { link } of sessions()) counts[link.transport]++;
    return labelled("transport", Object.entries(counts));
  });
  gauge("parley_gateway_sessions_registered", "Sessions that have registered", () => stats().registered);
  counter(
    "parley_gateway_connections_refused_total",
    "Handshakes refused: too many, or draining",
    () => stats().connectionsRefused,
  );
  counter(
    "parley_gateway_origins_refused_total",
    "Handshakes of pages of an origin that may not connect",
    () => stats().originsRefused,
  );
  counter(
    "parley_gateway_sessions_ended_total",
    "Connections that ended, registered or not",
    () => stats().sessionsEnded,
  );
  counter(
    "parley_gateway_slow_clients_dropped_total",
    "Connections cut off because too much waited for them",
    () => stats().slowDropped,
  );
  gauge("parley_gateway_rooms", "Rooms that somebody here listens to", () => stats().rooms);

  counter("parley_gateway_events_total", "Client events taken, by name", () => labelled("event", relayed.events));
  counter("parley_gateway_refusals_total", "Replies that were no success, by code", () =>
    labelled("code", relayed.refusals),
  );
  histogram("parley_gateway_ask_seconds", "From a client's event to a worker's answer, by service", () =>
    labelled("to", Object.entries(asked)),
  );
  gauge("parley_gateway_asks_waiting", "Events that wait for a worker's answer", () => stats().waitingForWorkers);

  counter("parley_gateway_deliveries_total", "Frames of rooms handed to listeners", () => stats().deliveries);
  counter("parley_gateway_records_total", "Records of rooms that came over NATS", () => stats().records);
  counter("parley_gateway_gaps_repaired_total", "Entries that NATS lost and the store gave", () => stats().gapsFilled);
  counter(
    "parley_gateway_repeats_dropped_total",
    "Entries that came again and went no further",
    () => stats().repeatsDropped,
  );
}
