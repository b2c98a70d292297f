import type { ServerEvent } from "@parley/protocol";
import type { Connection, ConnectionSnapshot, Registered } from "./connection.ts";
import type { ParleyError } from "./errors.ts";
import { fieldsOf, hold, type TabChannel, type TabTold, type Without } from "./tab-channel.ts";

export type TabLeader = ReturnType<typeof createTabLeader>;

/**
 * Lends this tab's connection to the others. One session serves them all, so what is of one tab alone is sorted out here:
 * the session is in a room while any tab is, and what one tab reads the others hear.
 */
export function createTabLeader(
  connection: Connection,
  /** What this tab's own user sees. */
  snapshot: () => ConnectionSnapshot,
  channel: TabChannel,
  group: string,
  me: string,
) {
  /** Who is in which room. */
  const rooms = new Map<string, Set<string>>();
  const tabs = new Set<string>();
  const ended = new AbortController();
  let registered: Registered | null = null;

  const tell = (what: Without<TabTold, "leader">) => channel.postMessage({ ...what, leader: me } as TabTold);

  function tellSnapshot(to?: string) {
    const { error, ...rest } = snapshot();
    // That this tab leaves is no news to the others: one of them takes over.
    if (rest.state === "closed" && !error) return;
    tell({ kind: "snapshot", to, snapshot: rest, error: error && fieldsOf(error) });
  }

  /** Out of the room with one tab; answers whether that was the last. */
  function leave(room: string, tab: string): boolean {
    const inside = rooms.get(room);
    if (!inside?.delete(tab) || inside.size > 0) return inside === undefined;
    return rooms.delete(room);
  }

  async function ask<Data>(tab: string, event: string, requestData: unknown, timeoutMs?: number): Promise<Data> {
    const { room = "", forget } = (requestData ?? {}) as { room?: string; forget?: boolean };
    if (event === "LeaveRoom" && !leave(room, tab) && !forget) return {} as Data;
    if (event === "JoinRoom") rooms.set(room, (rooms.get(room) ?? new Set()).add(tab));
    const data = await connection.request<Data>(event, requestData, timeoutMs).catch((error: ParleyError) => {
      if (event === "JoinRoom") leave(room, tab);
      throw error;
    });
    if (event === "MarkRead") {
      // The server tells the user's other sessions; the other tabs are of this one.
      const user = snapshot().user;
      const frame: ServerEvent = { eventType: "ServerEvent", event: "read", room, data: { user, ...data } };
      tell({ kind: "event", frame });
    }
    return data;
  }

  function welcome(tab: string) {
    if (!tabs.has(tab)) {
      tabs.add(tab);
      // A tab holds a lock of its own name: having it means that the tab is gone.
      hold(`${group} ${tab}`, ended.signal, () => gone(tab));
    }
    tellSnapshot(tab);
    if (registered && connection.isOnline()) tell({ kind: "online", to: tab, era: connection.era(), data: registered });
  }

  function gone(tab: string) {
    tabs.delete(tab);
    for (const [room, inside] of [...rooms])
      if (inside.has(tab) && leave(room, tab)) connection.request("LeaveRoom", { room }).catch(() => {});
  }

  channel.onmessage = ({ data: asked }) => {
    if (!("from" in asked)) return;
    if (asked.kind === "here") return welcome(asked.from);
    const { from, id, event, requestData, timeoutMs } = asked;
    ask(from, event, requestData, timeoutMs).then(
      (data) => tell({ kind: "answer", to: from, id, data }),
      (error: ParleyError) => tell({ kind: "answer", to: from, id, error: fieldsOf(error) }),
    );
  };
  connection.on("change", () => tellSnapshot());
  connection.on("online", ({ rooms: mine = {}, ...data }) => {
    // Rooms of the others are joined anew, by themselves.
    rooms.clear();
    for (const room of Object.keys(mine)) rooms.set(room, new Set([me]));
    // For tabs that come later, which ask who is here by then.
    registered = { ...data, activeUsers: undefined };
    tell({ kind: "online", era: connection.era(), data });
  });
  connection.on("offline", ({ code }) => tell({ kind: "offline", code }));
  connection.on("event", (frame) => tell({ kind: "event", frame }));

  return {
    ask: <Data>(event: string, requestData: unknown, timeoutMs?: number) =>
      ask<Data>(me, event, requestData, timeoutMs),
    /** Ends it; without a goodbye when others go on as this user. */
    async close() {
      const alone = tabs.size === 0;
      ended.abort();
      await connection.close(!alone);
    },
  };
}
