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
  const listeners = new Set<() => void>();
  const set = (changes: Partial<NotificationsSnapshot>) => {
    snapshot = { ...snapshot, ...changes };
    for (const listener of [...listeners]) listener();
  };
  const page = (list: NotificationView[], answer: NotificationsData) => {
    next = answer.next;
    const there = new Set(list.map(({ id }) => id));
    const added = answer.notifications.filter(({ id }) => !there.has(id));
    set({ list: [...list, ...added], unread: answer.unread, more: next !== null, loaded: true });
  };
  const refresh = async () => {
    try {
      page([], await client.call<NotificationsData>("Notifications"));
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
      if (next !== null) page([...snapshot.list], await client.call<NotificationsData>("Notifications", { next }));
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
