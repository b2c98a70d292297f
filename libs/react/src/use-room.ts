import type { JoinOptions, Room, RoomSnapshot } from "@parley/client";
import { useEffect } from "react";
import { useParley } from "./parley-provider.ts";
import { useStore } from "./use-store.ts";

const initial: RoomSnapshot = {
  state: "out",
  error: null,
  messages: [],
  pending: [],
  typing: [],
  more: false,
  role: null,
  members: 0,
  last: 0,
};

/** How many mounted components want to be in a room. */
const inside = new WeakMap<Room, number>();

function enter(room: Room, options: JoinOptions | undefined): void {
  inside.set(room, (inside.get(room) ?? 0) + 1);
  // A refusal is in the snapshot.
  room.join(options).catch(() => {});
}

function exit(room: Room): void {
  inside.set(room, (inside.get(room) ?? 1) - 1);
  // StrictMode, and moving a component, unmount and mount in one go: that is no leaving.
  setTimeout(() => {
    if (inside.get(room) === 0) room.leave().catch(() => {});
  });
}

/**
 * Is in the room while the component is there, and renders with each change of it. `options` hold for the first joining;
 * several components may use one room.
 */
export function useRoom(name: string, options?: JoinOptions): [Room, RoomSnapshot] {
  const room = useParley().room(name);
  // biome-ignore lint/correctness/useExhaustiveDependencies: options say how to begin, and it begins once
  useEffect(() => {
    enter(room, options);
    return () => exit(room);
  }, [room]);
  return [room, useStore(room, initial)];
}
