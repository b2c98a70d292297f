import type { ConnectionSnapshot } from "@parley/client";
import { useParley } from "./parley-provider.ts";
import { useStore } from "./use-store.ts";

const initial: ConnectionSnapshot = {
  state: "connecting",
  readyState: 0,
  user: null,
  hello: null,
  transport: null,
  error: null,
  nextTryAtMs: null,
};

/** The connection's state, who this client is, and why it ended if it did. */
export const useConnection = (): ConnectionSnapshot => useStore(useParley(), initial);
