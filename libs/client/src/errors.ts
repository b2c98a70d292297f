import type { Reply } from "@parley/protocol";

/**
 * Why a call failed. `code` is one of the protocol's codes (docs/protocol.md) or one of the SDK's own:
 * `disconnected` and `timeout` (retryable; the SDK mostly did retry already), `closed` (this client was closed),
 * `set_aside` (sending this message broke the connection twice).
 */
export class ParleyError extends Error {
  override name = "ParleyError";
  readonly code: string;
  /** The same call may succeed later. */
  readonly retryable: boolean;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryable = false, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }

  /** There is no connection, or it ended before the answer came. */
  static disconnected = (): ParleyError => new ParleyError("disconnected", "Not connected", true);

  static of({ code = "internal", error, retryable, retryAfterMs }: Partial<Reply>): ParleyError {
    return new ParleyError(code, error ?? code, retryable, retryAfterMs);
  }
}
