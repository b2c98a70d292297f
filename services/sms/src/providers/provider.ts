import type { Outcome } from "../state.ts";

export interface OutgoingSms {
  /** The record's id: a provider that knows it can recognise a repeat. */
  id: string;
  to: string;
  text: string;
}

/** What a provider's callback says. */
export type Callback =
  /** How an SMS fared. Known by our id, by the provider's, or both. */
  | { kind: "receipt"; id: string | null; providerId: string | null; outcome: Outcome }
  /** Somebody wrote to us. */
  | { kind: "incoming"; from: string; text: string };

export interface CallbackRequest {
  /** Path and query, as it came. */
  path: string;
  header: (name: string) => string | undefined;
  body: string;
}

/**
 * One way to send SMS.
 *
 * `send` says what is known for certain: "refused" only where the provider surely has not got it, "accepted" where it
 * surely has, else "uncertain". It may take until the signal aborts, and never rejects.
 */
export interface Provider {
  name: string;
  send(sms: OutgoingSms, signal: AbortSignal): Promise<Outcome>;
  /** Asks the provider whether it has an SMS whose attempt ended unknown; null: it can't say. Absent: it can't be asked. */
  lookUp?(sms: OutgoingSms & { sinceMs: number }, signal: AbortSignal): Promise<Outcome | null>;
  /** Reads a callback; throws Refusal("forbidden") when its signature is wrong. Absent: there are none. */
  readCallback?(request: CallbackRequest): Callback[];
}

/** Codes of errors that come before anything was sent. */
const unsent = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** What an error of an HTTP call means: never sent, or nobody knows. */
export function outcomeOfError(error: unknown): Outcome {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string" && unsent.has(code)) {
      return { kind: "refused", error: `The provider can't be reached: ${code}`, final: false };
    }
  }
  const name = error instanceof Error ? error.name : "";
  const late = name === "TimeoutError" || name === "AbortError";
  return { kind: "uncertain", error: late ? "The provider did not answer in time" : "The connection broke" };
}

/** What a provider's HTTP status other than 2xx means. */
export function outcomeOfStatus(status: number, said: string): Outcome {
  const error = `The provider answered ${status}${said ? `: ${said}` : ""}`;
  if (status === 429 || status === 503) return { kind: "refused", error, final: false };
  // Whatever else broke on the other side may have broken after the SMS was taken.
  if (status >= 500) return { kind: "uncertain", error };
  return { kind: "refused", error, final: true };
}
