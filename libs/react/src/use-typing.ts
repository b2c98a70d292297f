import type { Sender } from "@parley/client";
import { useCallback, useRef, useSyncExternalStore } from "react";
import { useParley } from "./parley-provider.ts";

const nobody: readonly Sender[] = [];

/**
 * Who types in a room, without oneself, and how to say that one does: call it at each key, with false when the text was
 * cleared. It does not join the room: `useRoom` does.
 */
export function useTyping(name: string): [typists: readonly Sender[], typing: (active: boolean) => void] {
  const room = useParley().room(name);
  const held = useRef(nobody);
  const typists = useSyncExternalStore(
    room.subscribe,
    () => {
      // The room makes a list anew with each of its changes; here only its content counts.
      const now = room.snapshot().typing;
      const same = now.length === held.current.length && now.every((each, i) => each === held.current[i]);
      if (!same) held.current = now;
      return held.current;
    },
    () => nobody,
  );
  return [typists, useCallback((active: boolean) => room.typing(active), [room])];
}
