import type { TimerRecord } from "../timers.ts";
import { recordTable } from "./columns.ts";
import type { Connection } from "./connection.ts";

/** TimerStore inside the thread; the port says what each does. `roomKey`: the key of the room of this name, or null. */
export function timersTable({ db }: Connection, roomKey: (name: string) => number | null) {
  const table = recordTable<TimerRecord>(db, "timers", "room", {
    room: "room",
    key: "key",
    partition: "partition",
    state: "state",
    durationMs: "duration",
    remainingMs: "remaining",
    endsAtMs: "ends_at",
    endedAtMs: "ended_at",
    settings: "settings",
    version: "version",
  });
  const remove = db.prepare("DELETE FROM timers WHERE room = ?");
  const list = db.prepare(`${table.select} WHERE room > ? ORDER BY room LIMIT ?`);
  const running = db.prepare(`${table.select} WHERE partition = ? AND ends_at IS NOT NULL`);
  const ended = db.prepare(`${table.select} WHERE partition = ? AND ended_at >= ? AND ends_at IS NULL`);

  return {
    find: (rooms: string[]): (TimerRecord | null)[] => rooms.map(table.find),
    put(record: TimerRecord, before: number): boolean {
      if (roomKey(record.room) !== record.key) return false;
      const found = table.find(record.room);
      if ((found?.key === record.key ? found.version : 0) !== before) return false;
      remove.run(record.room);
      table.insert(record);
      return true;
    },
    // No room's name is empty, so "" comes before all.
    list: (options: { after: string | null; limit: number }): TimerRecord[] =>
      list.all(options.after ?? "", options.limit) as unknown as TimerRecord[],
    active: (partitions: number[], endedSinceMs: number): TimerRecord[] =>
      partitions.flatMap((partition) => [
        ...(running.all(partition) as unknown as TimerRecord[]),
        ...(ended.all(partition, endedSinceMs) as unknown as TimerRecord[]),
      ]),
    /** With its room. */
    remove: (room: string): void => void remove.run(room),
  };
}
