import { type ConnectionSnapshot, initialSnapshot } from "@parley/client";
import { useParley } from "./parley-provider.ts";
import { useStore } from "./use-store.ts";

/** The connection's state, who this client is, and why it ended if it did. */
export const useConnection = (): ConnectionSnapshot => useStore(useParley(), initialSnapshot);
