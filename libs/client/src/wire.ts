import type { Reply, ServerEvent } from "@parley/protocol";

/** Carries frames between this client and a gateway, whatever way they take. */
export interface Wire {
  /** Hands a client event over; one that no longer leaves is told by `onClose`. */
  send(frame: object): void;
  /** Ends it. Nothing is told after it. */
  close(code: number): void;
}

export interface WireHooks {
  onFrame(frame: Reply | ServerEvent): void;
  /** The other side, or the network, ended it. Called once at most. */
  onClose(code: number, reason: string): void;
}

/** Opens a wire at once; that it works is told by its first frame, `Hello`. */
export type OpenWire = (hooks: WireHooks) => Wire;
