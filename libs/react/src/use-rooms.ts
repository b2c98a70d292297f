import type { RoomSummary } from "@parley/client";
import { useParley } from "./parley-provider.ts";
import { useStore } from "./use-store.ts";

const initial: readonly RoomSummary[] = [];

/** The rooms this user is a member of, with what is unread. */
export const useRooms = (): readonly RoomSummary[] => useStore(useParley().rooms, initial);
