import type { NotificationsData, NotificationView, Parley, Store } from "@parley/client";
import { useParley } from "./parley-provider.ts";
import { useStore } from "./use-store.ts";

export interface NotificationsSnapshot {
  /** Newest first, as far as they were asked for. */
  list: readonly NotificationView[];
  /** Of all, also of those not in the list yet. */
  unread: number;
  /** Whether there are older ones. */
  more: boolean;
  /** False until the first answer. */
  loaded: boolean;
}

export interface Notifications extends Store<NotificationsSnapshot> {
  /** Marks one read, or all. Rejects with ParleyError. */
  read(id: string | "all"): Promise<void>;
  /** Loads older ones. Rejects with ParleyError. */
  loadMore(): Promise<void>;
}

const initial: NotificationsSnapshot = { list: [], unread: 0, more: false, loaded: false };
const known = new WeakMap<Parley, Notifications>();

/** Asked for at each connection from the first listener on, and kept up to date by the event `notification`. */
function createNotifications(client: Parley): Notifications {
  let snapshot = initial;
  let next: string | null = null;
  let begun = false;
  /** How often news came: an answer asked for before some may not know of them, and is asked for again. */
  let told = 0;
  const listeners = new Set<() => void>();
  const set = (changes: Partial<NotificationsSnapshot>) => {
    snapshot = { ...snapshot, ...changes };
    for (const listener of [...listeners]) listener();
  };
  const refresh = async () => {
    try {
      const before = told;
      const { notifications: list, unread, next: older } = await client.call<NotificationsData>("Notifications");
      if (told !== before) return void refresh();
      next = older;
      set({ list, unread, more: next !== null, loaded: true });
    } catch {
      // Asked again at the next connection.
    }
  };
  const markRead = (id: string | "all", unread: number) =>
    set({
      list: snapshot.list.map((each) => (id === "all" || each.id === id ? { ...each, read: true } : each)),
      unread,
    });

  const begin = () => {
    begun = true;
    client.on("event", ({ event, data }) => {
      if (event !== "notification") return;
      told++;
      const news = data as { notification?: NotificationView; read?: string; unread: number };
      if (news.read !== undefined) markRead(news.read, news.unread);
      const { notification } = news;
      if (!notification) return;
      const others = snapshot.list.filter(({ id }) => id !== notification.id);
      set({ list: [notification, ...others], unread: news.unread });
    });
    client.on("state", (state) => {
      if (state === "online") void refresh();
    });
    if (client.state === "online") void refresh();
  };

  return {
    subscribe(listener) {
      listeners.add(listener);
      if (!begun) begin();
      return () => listeners.delete(listener);
    },
    snapshot: () => snapshot,
    async read(id) {
      const { unread } = await client.call<{ unread: number }>(
        "ReadNotification",
        id === "all" ? { all: true } : { id },
      );
      markRead(id, unread);
    },
    async loadMore() {
      const asked = next;
      if (asked === null) return;
      const older = await client.call<NotificationsData>("Notifications", { next: asked });
      // Another call, or a new connection's first page, was quicker.
      if (next !== asked) return;
      next = older.next;
      const there = new Set(snapshot.list.map(({ id }) => id));
      set({
        list: [...snapshot.list, ...older.notifications.filter(({ id }) => !there.has(id))],
        more: next !== null,
      });
    },
  };
}

/** This user's notifications, what is unread, and how to mark them read. */
export function useNotifications(): [Notifications, NotificationsSnapshot] {
  const client = useParley();
  let notifications = known.get(client);
  if (!notifications) {
    notifications = createNotifications(client);
    known.set(client, notifications);
  }
  return [notifications, useStore(notifications, initial)];
}
