/** Listeners of rooms that uWebSockets' own publish can't reach: whoever does not come by `/ws`. */
import type { HubRoom } from "./hub.ts";

/** Takes a room's frame as JSON text. */
export type Listener = (frame: string) => void;

export interface RoomListeners {
  add(room: HubRoom, listener: Listener): void;
  remove(room: HubRoom, listener: Listener): void;
  publish(room: HubRoom, frame: Uint8Array, except?: Listener): void;
}

export function createRoomListeners(): RoomListeners {
  const listenersOf = new Map<HubRoom, Set<Listener>>();
  return {
    add(room, listener) {
      const listeners = listenersOf.get(room);
      if (listeners) listeners.add(listener);
      else listenersOf.set(room, new Set([listener]));
    },
    remove(room, listener) {
      const listeners = listenersOf.get(room);
      if (listeners?.delete(listener) && listeners.size === 0) listenersOf.delete(room);
    },
    publish(room, frame, except) {
      const listeners = listenersOf.get(room);
      if (!listeners) return;
      // One text for all of them; a copy too, since the frame is a view into the bus's buffer.
      const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString("utf8");
      for (const listener of listeners) if (listener !== except) listener(text);
    },
  };
}
