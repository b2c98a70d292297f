import { useEvent } from "@parley/react";
import { useState } from "react";
import { formatClock } from "./format-time.ts";

interface Item {
  key: number;
  title: string;
  text: string;
  at: string;
}

const kept = 50;
let lastKey = 0;

/** What the application sends to this user alone, by `POST /v1/emit-user` with the event `inbox`: there without a reload. */
export function Inbox() {
  const [items, setItems] = useState<readonly Item[]>([]);
  useEvent<{ title?: unknown; text?: unknown } | null>("inbox", (data) => {
    const item = {
      key: ++lastKey,
      title: String(data?.title ?? "News"),
      text: String(data?.text ?? ""),
      at: new Date().toISOString(),
    };
    setItems((before) => [item, ...before].slice(0, kept));
  });
  if (items.length === 0) return null;
  return (
    <section className="inbox" aria-label="Inbox" aria-live="polite">
      <h2>
        Inbox <span className="badge">{items.length}</span>
        <button type="button" className="text-button" onClick={() => setItems([])}>
          Clear
        </button>
      </h2>
      <ul>
        {items.map(({ key, title, text, at }) => (
          <li key={key}>
            <strong>{title}</strong> <time dateTime={at}>{formatClock(at)}</time>
            <p>{text}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
