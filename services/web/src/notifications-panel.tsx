import type { NotificationView } from "@parley/client";
import { useNotifications } from "@parley/react";
import { useState } from "react";
import { formatBrief } from "./format-time.ts";
import { Icon } from "./icon.tsx";
import { PreferencesForm } from "./preferences-form.tsx";
import { helpLink, roomLink } from "./route.ts";
import { useNotice } from "./use-notice.ts";

/** The list behind the bell, and how one wants to be told. */
export function NotificationsPanel({ onLeave }: { onLeave: () => void }) {
  const [notifications, { list, unread, more, loaded }] = useNotifications();
  const [preferring, setPreferring] = useState(false);
  const [notice, setNotice] = useNotice();
  const act = (asked: Promise<unknown>) =>
    asked.catch((error: Error) => setNotice({ kind: "alert", text: error.message }));

  function open(notification: NotificationView) {
    if (!notification.read) void act(notifications.read(notification.id));
    const room = roomOf(notification);
    if (room === null) return;
    location.hash = notification.kind === "ticket" ? helpLink : roomLink(room);
    onLeave();
  }

  return (
    <section className="panel" aria-label="Notifications">
      <header className="panel-head">
        <h2>Notifications</h2>
        <button
          type="button"
          className="text-button"
          disabled={unread === 0}
          onClick={() => act(notifications.read("all"))}
        >
          Mark all read
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label="How I want to be told"
          aria-expanded={preferring}
          onClick={() => setPreferring(!preferring)}
        >
          <Icon name="settings" />
        </button>
      </header>
      {notice ? <p role={notice.kind}>{notice.text}</p> : null}
      {preferring ? <PreferencesForm onDone={() => setPreferring(false)} /> : null}
      <ul className="notifications">
        {list.map((each) => (
          <li key={each.id}>
            <button
              type="button"
              className={each.read ? "notification" : "notification notification-unread"}
              onClick={() => open(each)}
            >
              <strong>{each.title}</strong>
              <time dateTime={each.at}>{formatBrief(each.at)}</time>
              <span>{each.body}</span>
            </button>
          </li>
        ))}
      </ul>
      {loaded && list.length === 0 ? <p className="panel-empty">Nothing to tell you.</p> : null}
      {more ? (
        <button type="button" className="text-button" onClick={() => act(notifications.loadMore())}>
          Older ones
        </button>
      ) : null}
    </section>
  );
}

function roomOf({ data }: NotificationView): string | null {
  const room = (data as { room?: unknown } | null)?.room;
  return typeof room === "string" ? room : null;
}
