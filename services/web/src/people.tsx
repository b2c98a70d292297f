import type { PresentUser } from "@parley/client";
import { useConnection, useParley, usePresence } from "@parley/react";
import { Avatar } from "./avatar.tsx";
import { formatAgo } from "./format-time.ts";
import { useNow } from "./use-now.ts";

const words = { online: "online", away: "away", busy: "busy", offline: "offline" };

/** Who is here, with what they say of themselves, and below them who was here last. */
export function People() {
  const { users, total, hasMore, frozen } = usePresence();
  const client = useParley();
  const { user: me } = useConnection();
  const nowMs = useNow(30_000);
  return (
    <section className="people" aria-label="People">
      <h2>
        People <small>{total === 1 ? "only you" : `${total} here`}</small>
      </h2>
      {frozen ? <p className="people-frozen">Presence stands still for the moment; this is how it was.</p> : null}
      <ul>
        {users.map((user) => (
          <Person key={user.id} user={user} own={user.id === me?.id} nowMs={nowMs} />
        ))}
      </ul>
      {hasMore ? (
        <button type="button" className="text-button" onClick={() => client.presence.more()}>
          Show more
        </button>
      ) : null}
    </section>
  );
}

function Person({ user, own, nowMs }: { user: PresentUser; own: boolean; nowMs: number }) {
  const { name, status, statusText, lastSeenAt, devices } = user;
  const said = status === "offline" ? lastSeen(lastSeenAt, nowMs) : (statusText ?? (status === "online" ? "" : status));
  return (
    <li className={`person person-${status}`}>
      <span className="person-face">
        <Avatar id={user.id} name={name} />
        <span className={`presence-dot presence-${status}`} role="img" aria-label={words[status]} />
      </span>
      <span className="person-name">
        {name}
        {own ? <small> (you)</small> : null}
      </span>
      {said ? <small className="person-said">{said}</small> : null}
      {devices > 1 ? <small className="person-devices">{devices} devices</small> : null}
    </li>
  );
}

const lastSeen = (at: string | null, nowMs: number): string => (at === null ? "" : `last seen ${formatAgo(at, nowMs)}`);
