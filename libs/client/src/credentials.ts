import type { RegisterData } from "@parley/protocol";
import type { ParleyError } from "./errors.ts";
import type { GuestToken } from "./guest-token.ts";

/** Gets a user's token. `fresh`: the last one was refused or is about to end, so one that was kept will not do. */
export type TokenProvider = (ask: { fresh: boolean }) => string | Promise<string>;

export interface CredentialsOptions {
  guest: { name?: string } | null;
  token: string | TokenProvider | null;
  guestToken: GuestToken;
}

/** A token is renewed so long before its end, or at three quarters of a short life. */
const aheadMs = 60_000;
/** The longest time a timer can be set to. */
const maxTimerMs = 2 ** 31 - 1;
const retryMs = 5_000;

/** When a JSON Web Token ends, in milliseconds since 1970, and how long it lives; null where it does not say. */
function tokenLife(token: string): { endsAtMs: number; lifeMs: number } | null {
  try {
    const payload = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const { exp, iat } = JSON.parse(atob(payload)) as { exp?: number; iat?: number };
    return exp ? { endsAtMs: exp * 1000, lifeMs: (exp - (iat ?? 0)) * 1000 } : null;
  } catch {
    return null;
  }
}

/** Who this client is to the server: what it registers with, and how that stays valid. */
export function createCredentials(
  { guest, token, guestToken }: CredentialsOptions,
  /** Shows the server the next token while the connection goes on. */
  refresh: (token: string) => Promise<unknown>,
) {
  /** The next token must be another than the last one, and whether that was asked of the last one. */
  let stale = false;
  let askedFresh = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function current(): Promise<string | null> {
    if (typeof token !== "function") return token ?? guestToken.get();
    askedFresh = stale;
    const given = await token({ fresh: stale });
    stale = false;
    return given;
  }

  function renewLater(given: string, leastMs = 0) {
    clearTimeout(timer);
    const life = tokenLife(given);
    if (typeof token !== "function" || !life) return;
    const atMs = life.endsAtMs - Math.min(aheadMs, life.lifeMs / 4);
    timer = setTimeout(renew, Math.min(Math.max(atMs - Date.now(), leastMs), maxTimerMs), given);
  }

  async function renew(before: string) {
    try {
      const next = await (token as TokenProvider)({ fresh: true });
      await refresh(next);
      renewLater(next, next === before ? retryMs : 0);
    } catch {
      // Without it the server ends the session, and the next registration asks anew.
      renewLater(before, retryMs);
    }
  }

  return {
    /** Who to register as. */
    async claim() {
      const known = await current();
      return known ? { token: known } : { guest: true as const, name: guest?.name };
    },
    /** It was accepted. */
    accepted(claim: { token?: string }, data: RegisterData) {
      if (token && claim.token) renewLater(claim.token);
      else if (data.token) guestToken.set(data.token);
    },
    /** It was refused; answers whether it can go otherwise the next time. */
    refused(error: ParleyError): boolean {
      if (error.code !== "unauthorized") return error.retryable;
      const again = typeof token === "function" ? !askedFresh : !token && guestToken.get() !== null;
      stale = true;
      if (!token) guestToken.forget();
      return again;
    },
    /** The server said that the token has ended. */
    ended() {
      stale = true;
    },
    stop: () => clearTimeout(timer),
  };
}
