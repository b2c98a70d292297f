/** Who may call an internal API: whoever shows the secret itself, or a token that was signed with it for this service. */
import { timingSafeEqual } from "node:crypto";
import { errors, jwtVerify } from "jose";
import { ConfigError } from "./config.ts";

export interface ApiAccess {
  /** One or, while they change, two. */
  secrets: readonly string[];
  /** Whether the API's description and its page need no token. */
  docsOpen: boolean;
}

const leastChars = 16;

/** Throws ConfigError. */
export function apiAccessOf(config: { INTERNAL_TOKEN: string; INTERNAL_DOCS_OPEN: boolean }): ApiAccess {
  const secrets = config.INTERNAL_TOKEN.split(",").map((secret) => secret.trim());
  if (secrets.some((secret) => secret.length < leastChars))
    throw new ConfigError(`INTERNAL_TOKEN must be tokens of ${leastChars} characters or more, separated by commas`);
  return { secrets, docsOpen: config.INTERNAL_DOCS_OPEN };
}

/** Whether the header `Authorization` opens the API of `audience`, as in `parley-chat`. Never rejects. */
export function createAccessCheck(
  access: ApiAccess,
  audience: string,
): (header: string | undefined) => Promise<boolean> {
  const keys = access.secrets.map((secret) => Buffer.from(secret));
  return async (header = "") => {
    const shown = /^Bearer +([\x21-\x7e]+)$/i.exec(header)?.[1];
    if (shown === undefined) return false;
    const bytes = Buffer.from(shown);
    // Each is compared, so that the time does not tell which was nearly right.
    const isSecret = keys.map((key) => key.length === bytes.length && timingSafeEqual(key, bytes)).some(Boolean);
    if (isSecret) return true;
    for (const key of keys) {
      try {
        await jwtVerify(shown, key, { algorithms: ["HS256"], audience, requiredClaims: ["exp"] });
        return true;
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) return false;
      }
    }
    return false;
  };
}
