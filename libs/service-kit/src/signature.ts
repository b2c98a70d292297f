/**
 * Signed webhooks: `Parley-Signature: t=<seconds since 1970>,v1=<hex>`, where v1 is HMAC-SHA256 of `<t>.<body>` under the
 * shared secret. The time keeps a request that somebody overheard from being sent again later.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

export const signatureHeader = "parley-signature";

const digest = (secret: string, seconds: number, body: string): Buffer =>
  createHmac("sha256", secret).update(`${seconds}.${body}`).digest();

export function signBody(secret: string, body: string, nowMs: number = Date.now()): string {
  const seconds = Math.floor(nowMs / 1000);
  return `t=${seconds},v1=${digest(secret, seconds, body).toString("hex")}`;
}

/** Whether `header` is this secret's signature of the body, made within `toleranceMs` of now. */
export function isSignedBy(
  secret: string,
  body: string,
  header: string | undefined,
  nowMs: number = Date.now(),
  toleranceMs = 5 * 60_000,
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? "");
  if (!match) return false;
  const seconds = Number(match[1]);
  if (Math.abs(nowMs - seconds * 1000) > toleranceMs) return false;
  return timingSafeEqual(digest(secret, seconds, body), Buffer.from(match[2] as string, "hex"));
}
