import { useNotifications } from "@parley/react";
import { useEffect, useRef, useState } from "react";
import { Icon } from "./icon.tsx";
import { NotificationsPanel } from "./notifications-panel.tsx";

/** How many notifications are unread, and the list behind it. */
export function Bell() {
  const [, { unread }] = useNotifications();
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!open) return;
    const close = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !place.current?.contains(event.target as Node))
        setOpen(false);
    };
    addEventListener("keydown", close);
    addEventListener("pointerdown", close);
    return () => {
      removeEventListener("keydown", close);
      removeEventListener("pointerdown", close);
    };
  }, [open]);

  return (
    <div className="bell" ref={place}>
      <button
        type="button"
        className="icon-button"
        aria-label={unread > 0 ? `Notifications, ${unread} unread` : "Notifications"}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="bell" />
        {unread > 0 ? <span className="badge bell-count">{unread > 99 ? "99+" : unread}</span> : null}
      </button>
      {open ? <NotificationsPanel onLeave={() => setOpen(false)} /> : null}
    </div>
  );
}
