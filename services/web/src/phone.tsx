import { useEvent } from "@parley/react";
import { useState } from "react";
import { formatClock } from "./format-time.ts";
import { Icon } from "./icon.tsx";

interface Sms {
  id: string;
  to: string;
  text: string;
  at: string;
}

/** The phone that gets what the file provider "sends": so that SMS can be seen without a provider. */
export function Phone() {
  const [received, setReceived] = useState<Sms[]>([]);
  useEvent<Sms>("phone.sms", (sms) => setReceived((before) => [...before.filter(({ id }) => id !== sms.id), sms]));
  const last = received.at(-1);
  if (!last) return null;
  return (
    <aside className="phone" aria-label={`Phone ${last.to}`}>
      <header>
        <Icon name="phone" />
        <span>{last.to}</span>
        <button type="button" className="icon-button" aria-label="Put the phone away" onClick={() => setReceived([])}>
          <Icon name="close" />
        </button>
      </header>
      <ul aria-live="polite">
        {received.map(({ id, text, at }) => (
          <li key={id}>
            <p>{text}</p>
            <time dateTime={at}>{formatClock(at)}</time>
          </li>
        ))}
      </ul>
    </aside>
  );
}
