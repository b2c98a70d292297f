/** Keys of fallback sessions: made from their names, so that any gateway knows a wrong one without asking the others. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

export interface FallbackKeys {
  /** What every call on this session has to show. */
  keyOf(session: string): string;
  /** Compares in constant time. */
  isKeyOf(session: string, key: string): boolean;
}

/** `secrets`: one at least, the same on all gateways. The first one makes keys, all are taken. */
export function createFallbackKeys(secrets: readonly string[]): FallbackKeys {
  const [first] = secrets;
  if (first === undefined) throw new Error("fallback sessions need a secret for their keys (GUEST_KEY)");
  const make = (secret: string, session: string): string =>
    createHmac("sha256", secret).update(`parley-fallback ${session}`).digest("base64url");
  // Digests are of one length, whatever was given.
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return {
    keyOf: (session) => make(first, session),
    isKeyOf(session, key) {
      const given = digest(key);
      return secrets.filter((secret) => timingSafeEqual(digest(make(secret, session)), given)).length > 0;
    },
  };
}
