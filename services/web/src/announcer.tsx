import type { Room } from "@parley/client";
import { useEffect, useState } from "react";

/** Reads new messages of others out to those who listen to the page. */
export function Announcer({ room, me }: { room: Room; me: string }) {
  const [line, setLine] = useState("");
  useEffect(
    () =>
      room.on("message", ({ sender, text }) => {
        if (sender.id !== me) setLine(`${sender.name}: ${text ?? "sent data"}`);
      }),
    [room, me],
  );
  return (
    <p className="visually-hidden" aria-live="polite">
      {line}
    </p>
  );
}
