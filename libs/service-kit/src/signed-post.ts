/** A webhook of ours: one POST that says whose it is, and an answer that can neither lead elsewhere nor fill the memory. */
import { signatureHeader, signBody } from "./signature.ts";

export interface SignedPost {
  url: string;
  secret: string;
  /** Sent as JSON. */
  body: unknown;
  /** The same for each repeat of one thing. */
  idempotencyKey?: string;
  /** Ends the waiting for the answer. */
  signal: AbortSignal;
}

export interface PostAnswer {
  status: number;
  /** Whether the status is 2xx; a redirect is not followed, so it is none. */
  ok: boolean;
  /** What it says, cut off at 10,000 bytes; empty where it broke off. */
  text: string;
}

const maxAnswerBytes = 10_000;

/** Rejects where there was no answer, as fetch does. */
export async function signedPost({ url, secret, body, idempotencyKey, signal }: SignedPost): Promise<PostAnswer> {
  const json = JSON.stringify(body);
  const response = await fetch(url, {
    method: "POST",
    redirect: "manual",
    headers: {
      "content-type": "application/json",
      [signatureHeader]: signBody(secret, json),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    },
    body: json,
    signal,
  });
  return { status: response.status, ok: response.ok, text: await firstOf(response.body) };
}

/** An answer that broke off is an answer all the same, but what it says is not to be believed. */
async function firstOf(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body ?? []) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      // Leaving the loop cancels the rest.
      if (bytes >= maxAnswerBytes) break;
    }
  } catch {
    return "";
  }
  return Buffer.concat(chunks).subarray(0, maxAnswerBytes).toString("utf8");
}
