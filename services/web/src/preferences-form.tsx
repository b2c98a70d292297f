import type { Preferences } from "@parley/client";
import { useParley } from "@parley/react";
import { type SubmitEvent, useEffect, useId, useState } from "react";

const kinds = { mention: "Somebody mentions me", direct: "Direct messages", ticket: "Help centre", timer: "Timers" };
const ways = { none: "not at all", app: "in the app", sms: "in the app, then by SMS" };

type Way = keyof typeof ways;

const wayOf = ({ channels }: Preferences, kind: string): Way => {
  const used = channels[kind];
  if (used === undefined) return "app";
  if (used.length === 0) return "none";
  return used.includes("sms") ? "sms" : "app";
};

/** By which channels one wants to be told of what, when not, and on which phone. */
export function PreferencesForm({ onDone }: { onDone: () => void }) {
  const client = useParley();
  const [preferences, setPreferences] = useState<Preferences | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const id = useId();

  useEffect(() => {
    client.call<Preferences>("GetPreferences").then(setPreferences, (error: Error) => setFault(error.message));
  }, [client]);

  if (!preferences) return <p role="status">{fault ?? "One moment…"}</p>;

  async function save(event: SubmitEvent) {
    event.preventDefault();
    const fields = new FormData(event.target as HTMLFormElement);
    const text = (name: string) => String(fields.get(name) ?? "").trim();
    const channels = { ...preferences?.channels };
    for (const kind of Object.keys(kinds)) {
      const way = text(kind) as Way;
      channels[kind] = way === "none" ? [] : way === "sms" ? ["inApp", "sms"] : ["inApp"];
    }
    const timeZone = preferences?.quietHours?.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    const [from, to] = [text("from"), text("to")];
    const phone = text("phone") || null;
    try {
      await client.call("SetPreferences", {
        channels,
        quietHours: from && to ? { from, to, timeZone } : null,
        ...(phone === preferences?.phone ? {} : { phone }),
      });
      onDone();
    } catch (error) {
      setFault((error as Error).message);
    }
  }

  return (
    <form className="preferences" onSubmit={save}>
      {Object.entries(kinds).map(([kind, what]) => (
        <label key={kind}>
          {what}
          <select name={kind} defaultValue={wayOf(preferences, kind)}>
            {Object.entries(ways).map(([way, name]) => (
              <option key={way} value={way}>
                {name}
              </option>
            ))}
          </select>
        </label>
      ))}
      <fieldset>
        <legend>No SMS between</legend>
        <input type="time" name="from" aria-label="from" defaultValue={preferences.quietHours?.from ?? ""} />
        <input type="time" name="to" aria-label="to" defaultValue={preferences.quietHours?.to ?? ""} />
      </fieldset>
      <label htmlFor={id}>My phone</label>
      <input id={id} name="phone" type="tel" placeholder="+12025550123" defaultValue={preferences.phone ?? ""} />
      {fault ? <p role="alert">{fault}</p> : null}
      <button type="submit" className="button">
        Save
      </button>
    </form>
  );
}
