import type { Metrics, Tally } from "@parley/service-kit";
import type { Appender } from "./append.ts";
import type { RoomState, RoomStates } from "./room-states.ts";
import type { SaidNotes } from "./said.ts";

export function addChatMetrics(
  metrics: Metrics,
  parts: { appender: Appender<RoomState>; rooms: RoomStates; writes: Tally; said: SaidNotes },
): void {
  const { appender, rooms, writes, said } = parts;
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
  metrics.gauge("parley_chat_said_waiting", "Messages that no notify worker has taken yet", () => said.waiting());
  metrics.counter("parley_chat_said_dropped_total", "Messages of which nobody was notified, as too many waited", () =>
    said.dropped(),
  );
  metrics.gauge("parley_chat_rooms_warm", "Rooms held in memory", () => rooms.count());
}
