/** What a page knows of its network. Elsewhere (Node) nothing is known, and so the network is taken to be there. */
interface PageGlobals {
  navigator?: { onLine?: boolean };
  addEventListener?(type: "online", listener: () => void): void;
  removeEventListener?(type: "online", listener: () => void): void;
}

const page = globalThis as unknown as PageGlobals;

export const isOffline = (): boolean => page.navigator?.onLine === false;

/** Calls `listener` each time the page's network is back; answers how to stop that. */
export function onNetworkBack(listener: () => void): () => void {
  page.addEventListener?.("online", listener);
  return () => page.removeEventListener?.("online", listener);
}
