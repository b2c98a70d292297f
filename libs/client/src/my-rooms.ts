import type { Entry, RoomSummary, ServerEvent } from "@parley/protocol";
import type { Connection } from "./connection.ts";
import { createStore, type Store } from "./emitter.ts";

export type { RoomSummary };

/** The rooms this user is a member of, with what is unread; asked for at each connection and kept up to date. */
export interface MyRooms extends Store<readonly RoomSummary[]> {
  get(room: string): RoomSummary | undefined;
}

/** Words of new messages in rooms one is not in are gathered for so long before the list is asked for. */
const gatherMs = 1_000;

export function createMyRooms(connection: Connection) {
  let rooms = new Map<string, RoomSummary>();
  const store = createStore<readonly RoomSummary[]>(() => [...rooms.values()]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  /** Rooms that were heard of while the list was asked for: the answer may be older than that. */
  const heardSince = new Set<string>();

  async function refresh() {
    clearTimeout(timer);
    timer = undefined;
    if (asking) return refreshSoon();
    asking = true;
    heardSince.clear();
    try {
      const fresh = new Map<string, RoomSummary>();
      let next: string | null = null;
      do {
        const page: { rooms: RoomSummary[]; next: string | null } = await connection.call(
          "Rooms",
          next ? { next } : {},
        );
        for (const summary of page.rooms) {
          const known = heardSince.has(summary.room) ? rooms.get(summary.room) : undefined;
          const newer = known && (known.head > summary.head || known.lastRead > summary.lastRead);
          fresh.set(summary.room, newer ? known : summary);
        }
        next = page.next;
      } while (next !== null);
      rooms = fresh;
      store.changed();
    } catch {
      // Asked again at the next connection, or with the next word of something unread.
    } finally {
      asking = false;
    }
  }

  function refreshSoon() {
    timer ??= setTimeout(refresh, gatherMs);
  }

  function change(room: string, changes: Partial<RoomSummary>) {
    const known = rooms.get(room);
    if (!known) return refreshSoon();
    rooms.set(room, { ...known, ...changes });
    store.changed();
  }

  /** The server's word on the read mark. */
  function read(room: string, seq: number, unread: number) {
    heardSince.add(room);
    change(room, { lastRead: Math.max(seq, rooms.get(room)?.lastRead ?? 0), unread });
  }

  connection.on("online", () => void refresh());
  connection.on("state", (state) => {
    if (state === "closed") clearTimeout(timer);
  });

  return {
    subscribe: store.subscribe,
    snapshot: store.snapshot,
    get: (room: string) => rooms.get(room),
    /** `unread` tells of rooms that this session does not listen to, `read` of what the user's other sessions read. */
    receive({ event, room, data }: ServerEvent) {
      if (room === undefined || (event !== "read" && event !== "unread")) return;
      const { seq, unread } = data as { seq: number; unread?: number };
      if (unread === undefined) return;
      if (event === "read") return read(room, seq, unread);
      change(room, { unread });
      refreshSoon();
    },
    read,
    /** A live entry: of listened rooms the server does not count, so it is counted here. */
    heard(room: string, entry: Entry, own: boolean) {
      const known = rooms.get(room);
      if (known && entry.seq <= known.head) return;
      heardSince.add(room);
      const counts = entry.kind === "message" && !own ? 1 : 0;
      const last = entry.kind === "message" || entry.kind === "system" ? { last: entry } : {};
      change(room, { head: entry.seq, unread: (known?.unread ?? 0) + counts, ...last });
    },
    /** A membership is new or gone. */
    refresh,
    refreshSoon,
  };
}
