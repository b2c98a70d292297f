import type { Parley } from "@parley/client";
import { ParleyProvider, useRooms } from "@parley/react";
import { useEffect, useState } from "react";
import { ConnectionBanner } from "./connection-banner.tsx";
import { connectAs, connectWith, guestName, tokenFromAddress } from "./guest.ts";
import { HelpCentre } from "./help-centre.tsx";
import { NamePrompt } from "./name-prompt.tsx";
import { Phone } from "./phone.tsx";
import { RoomView } from "./room-view.tsx";
import { useIsHelp, useRoomInHash } from "./route.ts";
import { Sidebar } from "./sidebar.tsx";

/** One client a page; it outlives React's double mounting in development. */
let client: Parley | null = null;

export function App() {
  const [name, setName] = useState(guestName);
  const [token] = useState(tokenFromAddress);
  if (token !== null) client ??= connectWith(token);
  else if (name === null) return <NamePrompt onName={setName} />;
  else client ??= connectAs(name);
  return (
    <ParleyProvider client={client}>
      <Chat />
    </ParleyProvider>
  );
}

function Chat() {
  const room = useRoomInHash();
  const help = useIsHelp();
  useTitle(room);
  return (
    <div className={room === null && !help ? "chat" : "chat in-room"}>
      <Sidebar open={room} />
      <main className="stage">
        <ConnectionBanner />
        {help ? <HelpCentre /> : room === null ? <NoRoom /> : <RoomView key={room} name={room} />}
      </main>
      <Phone />
    </div>
  );
}

function NoRoom() {
  return (
    <div className="no-room">
      <img src="/favicon.svg" alt="" width="56" height="56" />
      <h2>Pick a room, or make one</h2>
      <p>A room is there as soon as somebody names it. Share its address, and others are in it too.</p>
    </div>
  );
}

/** Unread messages of all rooms stand before the title, where a tab in the background shows them. */
function useTitle(room: string | null) {
  const unread = useRooms().reduce((sum, each) => sum + each.unread, 0);
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${room === null ? "" : `${room} · `}Parley`;
  }, [unread, room]);
}
