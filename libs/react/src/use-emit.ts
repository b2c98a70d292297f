import type { EmitTarget } from "@parley/client";
import { useCallback } from "react";
import { useParley } from "./parley-provider.ts";

/**
 * How to send an event of the application's own to a room, to users or to all. Resolves with how many sessions were
 * reached; at most once: it rejects rather than ask again.
 */
export function useEmit(): (to: EmitTarget, event: string, data?: unknown) => Promise<{ sessions: number }> {
  const client = useParley();
  return useCallback((to, event, data) => client.emit(to, event, data), [client]);
}
