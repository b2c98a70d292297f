import type { Metrics, Tally } from "@parley/service-kit";
import type { Appender } from "./append.ts";
import type { RoomState, RoomStates } from "./room-states.ts";

export function addChatMetrics(
  metrics: Metrics,
  { appender, rooms, writes }: { appender: Appender<RoomState>; rooms: RoomStates; writes: Tally },
): void {
  const { counts } = appender;
  metrics.counter("parley_chat_entries_total", "Entries stored", () => counts.entries);
  metrics.counter("parley_chat_repeats_total", "Repeats answered without storing anything", () => counts.repeats);
  metrics.counter(
    "parley_chat_append_conflicts_total",
    "Rooms' appends that another writer was quicker with",
    () => counts.conflicts,
  );
  metrics.counter("parley_chat_append_failures_total", "Writes that the store did not take", () => counts.failures);
  metrics.histogram("parley_chat_append_seconds", "A write to the store, with what all rooms had", () => writes);
  metrics.gauge("parley_chat_appends_waiting", "Entries that wait for the store", () => appender.pending());
  metrics.gauge("parley_chat_rooms_warm", "Rooms held in memory", () => rooms.count());
}
