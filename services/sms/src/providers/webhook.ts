/** Any HTTP service: one signed POST an SMS, and signed callbacks from it. */
import { Refusal } from "@parley/protocol";
import { isSignedBy, signatureHeader, signedPost } from "@parley/service-kit";
import type { Outcome } from "../state.ts";
import { type Callback, outcomeOfError, outcomeOfStatus, type Provider } from "./provider.ts";

export interface WebhookOptions {
  /** Gets `{id, to, text}`; answers 2xx, with `{id}` of its own if it likes. */
  url: string;
  /** Signs what we send and what we are sent. */
  secret: string;
}

export function createWebhook({ url, secret }: WebhookOptions): Provider {
  return {
    name: "webhook",
    async send({ id, to, text }, signal) {
      try {
        const answer = await signedPost({ url, secret, idempotencyKey: id, body: { id, to, text }, signal });
        if (answer.ok) return { kind: "accepted", providerId: idIn(answer.text) };
        return outcomeOfStatus(answer.status, answer.text.slice(0, 200));
      } catch (error) {
        return outcomeOfError(error);
      }
    },
    readCallback({ header, body }) {
      if (!isSignedBy(secret, body, header(signatureHeader)))
        throw new Refusal(
          "forbidden",
          `The header ${signatureHeader} is not this body's signature under SMS_WEBHOOK_SECRET`,
        );
      return [readCallback(body)];
    },
  };
}

function idIn(said: string): string | null {
  try {
    const { id } = JSON.parse(said) as { id?: unknown };
    return typeof id === "string" && id.length > 0 && id.length <= 255 ? id : null;
  } catch {
    return null;
  }
}

/** `{id, status: "sent" / "delivered" / "failed", error?}` or `{from, text}`. */
function readCallback(body: string): Callback {
  let said: { id?: unknown; status?: unknown; error?: unknown; from?: unknown; text?: unknown };
  try {
    said = JSON.parse(body) as typeof said;
  } catch {
    throw new Refusal("bad_request", "The body must be JSON");
  }
  if (typeof said.from === "string" && typeof said.text === "string")
    return { kind: "incoming", from: said.from, text: said.text };
  if (typeof said.id !== "string") throw new Refusal("bad_request", "id must be the id that the SMS was sent with");
  return { kind: "receipt", id: said.id, providerId: null, outcome: outcomeOf(said.status, said.error) };
}

function outcomeOf(status: unknown, error: unknown): Outcome {
  switch (status) {
    case "sent":
      return { kind: "accepted", providerId: null };
    case "delivered":
      return { kind: "delivered" };
    case "failed":
      return {
        kind: "undelivered",
        error: typeof error === "string" ? error.slice(0, 500) : "The provider says: failed",
      };
    default:
      throw new Refusal("bad_request", "status must be sent, delivered or failed");
  }
}
