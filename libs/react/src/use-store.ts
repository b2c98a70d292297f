import type { Store } from "@parley/client";
import { useSyncExternalStore } from "react";

/**
 * The present value of one of the SDK's stores, and a new rendering with each change. `initial` is what a server renders,
 * and a page while it takes over what the server rendered.
 */
export const useStore = <Snapshot>(store: Store<Snapshot>, initial: Snapshot): Snapshot =>
  useSyncExternalStore(store.subscribe, store.snapshot, () => initial);
