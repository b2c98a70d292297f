import type { Parley } from "@parley/client";
import { createContext, createElement, type ReactNode, useContext, useEffect } from "react";

const ParleyContext = createContext<Parley | null>(null);

export interface ParleyProviderProps {
  /**
   * What `connect()` gave: made once, outside of components, with `open: false` where the same module runs on a server.
   * It is opened as soon as the page is there, and stays open until the application closes it.
   */
  client: Parley;
  children?: ReactNode;
}

/** Gives the hooks below it their client. */
export function ParleyProvider({ client, children }: ParleyProviderProps) {
  // An effect: a server renders without one, and so never connects.
  useEffect(() => client.open(), [client]);
  return createElement(ParleyContext.Provider, { value: client }, children);
}

/** The client of the ParleyProvider above; throws where there is none. */
export function useParley(): Parley {
  const client = useContext(ParleyContext);
  if (!client) throw new Error("useParley: there is no ParleyProvider above this component; put one around the app");
  return client;
}
