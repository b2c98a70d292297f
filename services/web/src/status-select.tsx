import { useConnection, useParley, usePresence } from "@parley/react";

const choices = { online: "Online", away: "Away", busy: "Busy" } as const;
type Choice = keyof typeof choices;

/** What others see of oneself. */
export function StatusSelect() {
  const client = useParley();
  const { user } = useConnection();
  const { users, frozen } = usePresence();
  const status = users.find(({ id }) => id === user?.id)?.status ?? "online";
  return (
    <select
      className="status-select"
      aria-label="My status"
      value={status === "offline" ? "online" : status}
      disabled={frozen}
      onChange={({ target }) => {
        client.presence.setStatus(target.value as Choice).catch(() => {
          // The list shows what is true.
        });
      }}
    >
      {Object.entries(choices).map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}
