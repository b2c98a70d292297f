/** The public keys of whoever issues the tokens, fetched from one fixed address: a token's own `jku` is never looked at. */
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWTHeaderParameters, type LocalJWKSet } from "jose";

/** The keys can't be had now, so nothing can be said of the token: trying again may help. */
export class KeysUnavailable extends Error {
  override name = "KeysUnavailable";
}

export type FindKey = (header: JWTHeaderParameters, token: FlattenedJWSInput) => ReturnType<LocalJWKSet>;

const maxBytes = 256 * 1024;
const timeoutMs = 5_000;

/**
 * Keys are kept for `keepMs`, then fetched anew; while that fails, those known go on to be used. A token with a key that is
 * not known makes it fetch at once (keys rotate), but not more often than every `retryMs`, however many such tokens come.
 */
export function createJwks(options: { url: string; keepMs?: number; retryMs?: number; now?: () => number }): FindKey {
  const { url, keepMs = 10 * 60_000, retryMs = 30_000, now = performance.now.bind(performance) } = options;
  let keys: LocalJWKSet | null = null;
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let triedAtMs = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | null = null;

  const fetchKeys = async () => {
    triedAtMs = now();
    const response = await fetch(url, {
      headers: { accept: "application/jwk-set+json, application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new Error(`${url} answered with status ${response.status}`);
    const text = await response.text();
    if (text.length > maxBytes) throw new Error(`${url} answered with more than ${maxBytes} bytes`);
    keys = createLocalJWKSet(JSON.parse(text));
    fetchedAtMs = now();
  };

  /** One fetch at a time; those who need it share it. */
  const refresh = () => {
    underWay ??= fetchKeys().finally(() => {
      underWay = null;
    });
    return underWay;
  };

  const known = async (): Promise<LocalJWKSet> => {
    const mayTry = underWay !== null || now() - triedAtMs >= (keys ? retryMs : 1_000);
    // Old keys are better than none: only those who have none wait for new ones.
    if (keys && now() - fetchedAtMs > keepMs && mayTry) refresh().catch(() => {});
    if (!keys && mayTry) {
      await refresh().catch((cause) => {
        throw new KeysUnavailable(`The keys at ${url} can't be had`, { cause });
      });
    }
    if (!keys) throw new KeysUnavailable(`The keys at ${url} can't be had`);
    return keys;
  };

  return async (header, token) => {
    const first = await known();
    try {
      return await first(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (underWay === null && now() - triedAtMs < retryMs) throw error;
      await refresh().catch(() => {});
      return (keys as LocalJWKSet)(header, token);
    }
  };
}
