import type { ServerEvent } from "@parley/protocol";
import type { ConnectionSnapshot, Registered } from "./connection.ts";
import { ParleyError } from "./errors.ts";

/** A ParleyError as it passes between tabs, where a class would lose its fields. */
export interface ErrorFields {
  code: string;
  message: string;
  retryable: boolean;
  retryAfterMs: number | undefined;
}

/** What tabs say to the one that has the connection. */
export type TabAsk = { from: string } & (
  | { kind: "here" }
  | { kind: "ask"; id: number; event: string; requestData: unknown; timeoutMs: number }
);

/** What the tab that has the connection says: to all, or `to` one. */
export type TabTold = { leader: string; to?: string } & (
  | { kind: "snapshot"; snapshot: Omit<ConnectionSnapshot, "error">; error: ErrorFields | null }
  | { kind: "online"; era: number; data: Registered }
  | { kind: "offline"; code: number }
  | { kind: "event"; frame: ServerEvent }
  | { kind: "answer"; id: number; data?: unknown; error?: ErrorFields }
);

export const fieldsOf = ({ code, message, retryable, retryAfterMs }: ParleyError): ErrorFields => ({
  ...{ code, message, retryable, retryAfterMs },
});

export const errorOf = ({ code, message, retryable, retryAfterMs }: ErrorFields): ParleyError =>
  new ParleyError(code, message, retryable, retryAfterMs);

/** Each part of a union without one field: what its sender's name is put before. */
export type Without<Union, Field extends PropertyKey> = Union extends unknown ? Omit<Union, Field> : never;

/** As much of Web Locks as is used here; the compiler's own types come with all of the DOM. */
interface Locks {
  request(name: string, options: { signal?: AbortSignal }, held: () => Promise<void>): Promise<void>;
}

const { navigator, document } = globalThis as unknown as { navigator?: { locks?: Locks }; document?: object };
export const locks = navigator?.locks;

/** What the tabs of a group talk over; nobody hears what they say themselves. */
export interface TabChannel {
  onmessage: ((message: { data: TabAsk | TabTold }) => void) | null;
  postMessage(what: TabAsk | TabTold): void;
  close(): void;
}

export const openTabChannel = (group: string): TabChannel => new BroadcastChannel(group) as unknown as TabChannel;

/** Whether this is a page whose tabs can share. */
export const canShare = (): boolean => Boolean(document && locks && globalThis.BroadcastChannel);

/** Runs `held` once this page has the lock, and keeps it until the page is gone or the signal says so. */
export function hold(name: string, signal: AbortSignal, held: () => void): void {
  const kept = () =>
    new Promise<void>((release) => {
      if (signal.aborted) return release();
      signal.addEventListener("abort", () => release());
      held();
    });
  // Rejects when the signal comes before the lock.
  locks?.request(name, { signal }, kept).catch(() => {});
}
