import type { Room } from "@parley/client";
import { useRooms } from "@parley/react";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";

function subscribe(listener: () => void) {
  document.addEventListener("visibilitychange", listener);
  return () => document.removeEventListener("visibilitychange", listener);
}

const usePageVisible = () => useSyncExternalStore(subscribe, () => document.visibilityState === "visible");

/**
 * Tells the server what the person has seen (the end of the list, in a page they look at), and answers up to which seq
 * they had read when they came to the room, or back to this page: there the "new" line stands. Null for no line.
 */
export function useReadLine(room: Room, last: number, atEnd: boolean): number | null {
  const summary = useRooms().find((each) => each.room === room.name);
  const visible = usePageVisible();
  const [line, setLine] = useState<number | null>(null);
  const placed = useRef(false);
  const lastSeen = useRef(0);

  if (!placed.current && summary) {
    placed.current = true;
    if (summary.unread > 0 && summary.lastRead > 0) setLine(summary.lastRead);
  }

  useEffect(() => {
    if (visible && atEnd && last > 0 && summary) room.markRead(last);
  }, [room, visible, atEnd, last, summary]);

  useEffect(() => {
    if (visible) lastSeen.current = last;
  }, [visible, last]);

  // Left at the end: what comes until the person is back is new to them.
  useEffect(() => {
    if (!visible && atEnd) setLine(lastSeen.current || null);
  }, [visible, atEnd]);

  return line;
}
