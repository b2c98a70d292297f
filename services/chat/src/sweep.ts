/** What is done now and then: forgetting old entries, and guests who did not come back. */
import type { RoomRecord, Store } from "@parley/store";
import { guestLifeMs } from "./guests.ts";

const perCall = 1_000;

/** The lowest seq to keep by the room's rule. */
async function keepFrom(store: Store, room: RoomRecord, nowMs: number): Promise<number> {
  const [head] = await store.log.heads([room.key]);
  const byCount = room.retentionEntries === null ? 0 : (head?.seq ?? 0) - room.retentionEntries + 1;
  const byAge = room.retentionMs === null ? 0 : await store.log.firstSince(room.key, nowMs - room.retentionMs);
  return Math.max(byCount, byAge);
}

/** One round. Answers what it removed. `mine` says whether this worker looks after a room. */
export async function sweepOnce(
  store: Store,
  mine: (room: string) => boolean,
  nowMs: number,
): Promise<{ entries: number; guests: number; rooms: string[] }> {
  let entries = 0;
  const rooms: string[] = [];
  for (const room of await store.rooms.withRetention()) {
    if (!mine(room.name)) continue;
    const from = await keepFrom(store, room, nowMs);
    let removed = 0;
    let inRoom = 0;
    do {
      removed = await store.log.trim(room.key, from, perCall);
      inRoom += removed;
    } while (removed === perCall);
    if (inRoom > 0) rooms.push(room.name);
    entries += inRoom;
  }
  let guests = 0;
  for (;;) {
    const gone = await store.users.removeStaleGuests(nowMs - guestLifeMs, perCall);
    guests += gone.length;
    if (gone.length < perCall) return { entries, guests, rooms };
  }
}
