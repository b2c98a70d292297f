import type { RoomTimer, TimerSnapshot } from "@parley/client";
import { useParley } from "./parley-provider.ts";
import { useStore } from "./use-store.ts";

const initial: TimerSnapshot = { timer: null, time: "00:00:00", seconds: 0, notify: null };

/** A room's shared timer, with a rendering each second while it runs. It does not join the room: `useRoom` does. */
export function useTimer(name: string): [RoomTimer, TimerSnapshot] {
  const { timer } = useParley().room(name);
  return [timer, useStore(timer, initial)];
}
