import type { PresenceSnapshot } from "@parley/client";
import { useParley } from "./parley-provider.ts";
import { useStore } from "./use-store.ts";

const initial: PresenceSnapshot = { users: [], total: 0, hasMore: false, frozen: false };

/** Who is here, and who was lately; `useParley().presence` sets one's own status. */
export const usePresence = (): PresenceSnapshot => useStore(useParley().presence, initial);
