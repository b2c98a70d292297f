import type { Parley, Room, RoomSnapshot, Store } from "@parley/client";
import { createContext, useContext, useEffect, useSyncExternalStore } from "react";

const ParleyContext = createContext<Parley | null>(null);

export const ParleyProvider = ParleyContext.Provider;

export function useParley(): Parley {
  const client = useContext(ParleyContext);
  if (!client) throw new Error("useParley is used outside of a ParleyProvider");
  return client;
}

export const useStore = <Snapshot>(store: Store<Snapshot>): Snapshot =>
  useSyncExternalStore(store.subscribe, store.snapshot);

export const useConnection = () => useStore(useParley());

/** Listens to the room while the component is there. */
export function useRoom(name: string): [Room, RoomSnapshot] {
  const room = useParley().room(name);
  useEffect(() => {
    // A refusal is in the snapshot.
    room.join().catch(() => {});
    return () => void room.leave().catch(() => {});
  }, [room]);
  return [room, useStore(room)];
}
