/** Which web pages may talk to this gateway from a browser: their own server's always, others by a list. */
import { errorJson, type Headers } from "./outlet.ts";

/** Why a page may not, with 403: in words, and as JSON. */
export const foreignOriginError =
  "Pages of this origin may not connect here; the operator lists those that may (ALLOWED_ORIGINS)";
export const foreignOrigin = errorJson("forbidden", foreignOriginError);

/** What lets a page of that origin, found to be allowed, read an answer. */
export const corsHeaders = (origin: string): Headers =>
  origin === ""
    ? []
    : [
        ["Access-Control-Allow-Origin", origin],
        ["Access-Control-Expose-Headers", "Retry-After"],
        ["Vary", "Origin"],
      ];

export interface Origins {
  /** `origin`, `host`: the request's headers; an empty origin is no browser's cross-site request. */
  allows(origin: string, host: string): boolean;
}

/** `allowed`: origins as browsers write them (`https://app.example.com`), or `*` for any; `refused` hears of each refusal. */
export function createOrigins(allowed: readonly string[], refused: () => void = () => {}): Origins {
  const any = allowed.includes("*");
  const listed = new Set(allowed);
  return {
    allows(origin, host) {
      const isAllowed = origin === "" || any || listed.has(origin) || isSameHost(origin, host);
      if (!isAllowed) refused();
      return isAllowed;
    },
  };
}

/** A page of this very host and port; behind a proxy that ends TLS the scheme can't be told. */
const isSameHost = (origin: string, host: string): boolean =>
  host !== "" && (origin === `https://${host}` || origin === `http://${host}`);

const maxOriginChars = 512;

/** Reads a list of origins from a setting: comma-separated. Throws with the entry that is none. */
export function readOrigins(list: string): string[] {
  const origins = list.split(",").flatMap((entry) => (entry.trim() === "" ? [] : [entry.trim()]));
  for (const origin of origins) {
    if (origin === "*") continue;
    if (origin.length > maxOriginChars || !URL.canParse(origin) || new URL(origin).origin !== origin)
      throw Object.assign(
        new Error(`ALLOWED_ORIGINS: "${origin}" is not an origin; write it as in https://app.example.com`),
        { clear: true },
      );
  }
  return origins;
}
