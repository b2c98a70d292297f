/** What a page knows of its network. Elsewhere (Node) nothing is known, and so the network is taken to be there. */
interface PageGlobals {
  navigator?: { onLine?: boolean };
  document?: PageTarget & { visibilityState: string };
  addEventListener?: PageTarget["addEventListener"];
  removeEventListener?: PageTarget["removeEventListener"];
}

interface PageTarget {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

const page = globalThis as unknown as PageGlobals;

export const isOffline = (): boolean => page.navigator?.onLine === false;

/**
 * Calls `listener` when the connection may need a look: the network came or went, or the page is looked at again, perhaps
 * after the machine slept. Answers how to stop that.
 */
export function onWakeUp(listener: () => void): () => void {
  const visible = () => page.document?.visibilityState === "visible" && listener();
  page.addEventListener?.("online", listener);
  page.addEventListener?.("offline", listener);
  page.document?.addEventListener("visibilitychange", visible);
  return () => {
    page.removeEventListener?.("online", listener);
    page.removeEventListener?.("offline", listener);
    page.document?.removeEventListener("visibilitychange", visible);
  };
}
