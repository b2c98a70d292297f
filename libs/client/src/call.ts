import { backoffMs } from "./backoff.ts";
import type { ConnectionEvents, ConnectionSnapshot } from "./connection.ts";
import type { createEmitter } from "./emitter.ts";
import { ParleyError } from "./errors.ts";

export interface CallOptions {
  /** How long to try, reconnections included. 30 s unless given. */
  timeoutMs?: number;
  /** False for what must not happen twice: asked once a connection is there, and never again. */
  retry?: boolean;
}

/** What calls are made over: a connection of this page's own, or one that it shares. */
interface Asked {
  on: ReturnType<typeof createEmitter<ConnectionEvents>>["on"];
  snapshot(): ConnectionSnapshot;
  isOnline(): boolean;
  request<Data>(event: string, requestData: unknown, timeoutMs: number): Promise<Data>;
}

/** How long one answer may take. */
export const replyTimeoutMs = 20_000;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Waiting for a connection, and asking over it until there is an answer. */
export function createCalls({ on, snapshot, isOnline, request }: Asked) {
  function online(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        const { state, error } = snapshot();
        if (!isOnline() && state !== "closed") return;
        clearTimeout(timer);
        stop();
        if (isOnline()) resolve();
        else reject(error ?? new ParleyError("closed", "This client is closed"));
      };
      const stop = on("state", settle);
      const timer = setTimeout(() => {
        stop();
        reject(new ParleyError("timeout", "Not connected", true));
      }, timeoutMs);
      settle();
    });
  }

  async function call<Data>(event: string, requestData?: unknown, options: CallOptions = {}): Promise<Data> {
    const { timeoutMs = 30_000, retry = true } = options;
    const untilMs = Date.now() + timeoutMs;
    for (let attempt = 0; ; attempt++) {
      try {
        await online(untilMs - Date.now());
        return await request<Data>(event, requestData, Math.min(replyTimeoutMs, untilMs - Date.now()));
      } catch (error) {
        if (!(error instanceof ParleyError) || !error.retryable || !retry) throw error;
        const waitMs = error.code === "disconnected" ? 0 : Math.max(error.retryAfterMs ?? 0, backoffMs(attempt, 1));
        if (Date.now() + waitMs >= untilMs) throw error;
        await pause(waitMs);
      }
    }
  }

  return { call, ready: () => online(2 ** 31 - 1) };
}
