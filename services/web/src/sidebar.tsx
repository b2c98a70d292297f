import type { RoomSummary } from "@parley/client";
import { useConnection, useParley, useRooms } from "@parley/react";
import { Avatar } from "./avatar.tsx";
import { Bell } from "./bell.tsx";
import { formatBrief } from "./format-time.ts";
import { signOut } from "./guest.ts";
import { Icon } from "./icon.tsx";
import { Inbox } from "./inbox.tsx";
import { NewRoom } from "./new-room.tsx";
import { People } from "./people.tsx";
import { helpLink, roomLink } from "./route.ts";
import { StatusSelect } from "./status-select.tsx";
import { ThemeToggle } from "./theme-toggle.tsx";

export function Sidebar({ open }: { open: string | null }) {
  const rooms = [...useRooms()].sort((a, b) => lastAt(b).localeCompare(lastAt(a)));
  return (
    <aside className="sidebar">
      <header className="sidebar-head">
        <img src="/favicon.svg" alt="" width="30" height="30" />
        <h1>Parley</h1>
        <ThemeToggle />
        <a className="icon-button" href={helpLink} title="Help centre" aria-label="Help centre">
          <Icon name="help" />
        </a>
        <Bell />
      </header>
      <NewRoom />
      <nav className="rooms" aria-label="My rooms">
        {rooms.length === 0 ? <p className="rooms-empty">No rooms yet. Name one above to begin.</p> : null}
        <ul>
          {rooms.map((room) => (
            <RoomItem key={room.room} summary={room} open={room.room === open} />
          ))}
        </ul>
      </nav>
      <Inbox />
      <People />
      <WhoAmI />
    </aside>
  );
}

const lastAt = ({ last }: RoomSummary): string => last?.at ?? "";

function preview({ last }: RoomSummary, me: string | undefined): string {
  if (!last) return "Nothing said yet";
  const who = last.sender.id === me ? "You" : last.sender.name;
  if (last.kind === "edited") return `${who} edited: ${last.text ?? ""}`;
  if (last.kind === "reacted") return `${who} reacted ${last.emoji ?? ""}`;
  if (last.kind === "deleted" || last.deleted) return `${who} deleted a message`;
  return `${who}: ${last.text ?? "sent data"}`;
}

function RoomItem({ summary, open }: { summary: RoomSummary; open: boolean }) {
  const { user } = useConnection();
  const { room, unread, last } = summary;
  return (
    <li>
      <a className="room-item" href={roomLink(room)} aria-current={open ? "page" : undefined}>
        <Avatar id={room} name={room} shape="room" />
        <span className="room-item-name">{room}</span>
        {last ? <time dateTime={last.at}>{formatBrief(last.at)}</time> : null}
        <span className="room-item-last">{preview(summary, user?.id)}</span>
        {unread > 0 ? (
          <span className="badge">
            {unread > 99 ? "99+" : unread}
            <span className="visually-hidden"> unread</span>
          </span>
        ) : null}
      </a>
    </li>
  );
}

/** How one is connected, where that is not the usual way. */
const byWay = { websocket: "", sse: ", as a stream", poll: ", by polling" };

function WhoAmI() {
  const client = useParley();
  const { user, hello, state, transport } = useConnection();
  return (
    <footer className="who">
      {user ? <Avatar id={user.id} name={user.name} /> : null}
      <div className="who-text">
        <strong>{user?.name ?? "…"}</strong>
        <small>
          <span className={`dot dot-${state}`} aria-hidden="true" />
          {state === "online" || state === "draining"
            ? `served by ${hello?.node ?? "…"}${byWay[transport ?? "websocket"]}`
            : state}
        </small>
      </div>
      <StatusSelect />
      <button
        type="button"
        className="icon-button"
        title="Sign out"
        aria-label="Sign out"
        onClick={() => signOut(client)}
      >
        <Icon name="signOut" />
      </button>
    </footer>
  );
}
