import { useSyncExternalStore } from "react";

const prefix = "#/room/";

export const roomLink = (room: string): string => prefix + encodeURIComponent(room);

/** The room that the address names (`#/room/board-1`), or null. */
export function roomInHash(hash: string): string | null {
  if (!hash.startsWith(prefix)) return null;
  try {
    return decodeURIComponent(hash.slice(prefix.length)).trim() || null;
  } catch {
    return null;
  }
}

function subscribe(listener: () => void) {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

export const helpLink = "#/help";

/** Whether the address is the help centre's. */
export const useIsHelp = (): boolean => useSyncExternalStore(subscribe, () => location.hash === helpLink);

export const useRoomInHash = (): string | null => useSyncExternalStore(subscribe, () => roomInHash(location.hash));
