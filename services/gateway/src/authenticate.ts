/** Who somebody is: a guest with a token that this system signed, or a user with one that the application issued. */
import { randomBytes } from "node:crypto";
import { type Actor, encodeRights, type Right } from "@parley/bus";
import { type ClientEvent, Refusal } from "@parley/protocol";
import { decodeJwt, jwtVerify, SignJWT } from "jose";
import { KeysUnavailable } from "./jwks.ts";
import { createUserTokens, type UserTokenOptions } from "./user-tokens.ts";

/** What a session rests on: which token, from when, until when. */
export interface Credential {
  /** The token's `jti`, or null. */
  tokenId: string | null;
  /** 0 where the token does not say. */
  issuedAtMs: number;
  /** Null for guests: the store knows when they end. */
  expiresAtMs: number | null;
}

export interface Identity {
  user: Actor;
  credential: Credential;
  infoJson: string | null;
  /** A guest that is new. */
  fresh: boolean;
  /** The guest's way back; null for others. */
  token: string | null;
}

type Register = Extract<ClientEvent, { event: "Register" }>;

export interface Authenticate {
  /** Both refuse with `unauthorized`, or with `unavailable` while the issuer's keys can't be had. */
  register(event: Register): Promise<Identity>;
  /** The bearer of a token that may stand in for an earlier one. */
  token(token: string): Promise<Identity>;
}

export interface AuthenticateOptions {
  /** Secrets of 32 characters or more, the same on all gateways. The first one signs, all are taken. */
  guestKeys: readonly string[];
  /** Null: there are no guests. */
  guestRights: readonly Right[] | null;
  userTokens: UserTokenOptions;
}

const guestAudience = "parley-guest";

export function createAuthenticate(options: AuthenticateOptions): Authenticate {
  const keys = options.guestKeys.map((key) => new TextEncoder().encode(key));
  const guestRights = encodeRights(options.guestRights ?? []);
  const verifyUserToken = createUserTokens(options.userTokens);

  const newGuest = async (name: string | null, infoJson: string | null): Promise<Identity> => {
    const id = `guest-${randomBytes(9).toString("base64url")}`;
    const user = { id, name: name ?? `Guest ${id.slice(-4)}`, guest: true, rights: guestRights };
    const issuedAtMs = Date.now();
    // No expiry of its own: a guest ends 24 h after the last session, which only the store knows.
    const token = await new SignJWT({ name: user.name })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(id)
      .setAudience(guestAudience)
      .setIssuedAt(Math.floor(issuedAtMs / 1000))
      .sign(keys[0] as Uint8Array);
    return { user, credential: { tokenId: null, issuedAtMs, expiresAtMs: null }, infoJson, fresh: true, token };
  };

  const knownGuest = async (token: string): Promise<Identity> => {
    const check = { algorithms: ["HS256"], audience: guestAudience, requiredClaims: ["sub"] };
    const tries = await Promise.allSettled(keys.map((key) => jwtVerify(token, key, check)));
    const good = tries.find((each) => each.status === "fulfilled");
    if (!good) throw (tries[0] as PromiseRejectedResult).reason;
    const { payload } = good.value;
    const id = String(payload.sub);
    const user = { id, name: String(payload.name ?? id), guest: true, rights: guestRights };
    const credential = { tokenId: null, issuedAtMs: (payload.iat ?? 0) * 1000, expiresAtMs: null };
    return { user, credential, infoJson: null, fresh: false, token };
  };

  const knownUser = async (token: string): Promise<Identity> => {
    const { id, name, rights, infoJson, ...credential } = await verifyUserToken(token);
    return { user: { id, name, guest: false, rights }, credential, infoJson, fresh: false, token: null };
  };

  const noGuests = () => new Refusal("unauthorized", "There are no guests here: send a token");

  const byToken = async (token: string): Promise<Identity> => {
    let forGuest = false;
    try {
      // Who it is for decides by which key it is checked; that it is for them is checked with it.
      forGuest = decodeJwt(token).aud === guestAudience;
      if (!forGuest) return await knownUser(token);
      if (options.guestRights !== null) return await knownGuest(token);
    } catch (cause) {
      if (cause instanceof KeysUnavailable)
        throw Object.assign(new Refusal("unavailable", "Tokens can't be checked for the moment; try again"), { cause });
      const why = cause instanceof Error && cause.name === "WrongToken" ? cause.message : null;
      throw Object.assign(new Refusal("unauthorized", why ?? "This token is not one of ours, or was changed"), {
        cause,
      });
    }
    throw noGuests();
  };

  return {
    register: async ({ token, name, infoJson, guest }) => {
      if (guest) {
        if (options.guestRights === null) throw noGuests();
        return newGuest(name, infoJson);
      }
      if (token === null) throw new Refusal("unauthorized", "Send a token, or guest:true");
      const identity = await byToken(token);
      // What the token says of a user, else what the client does.
      return identity.user.guest ? identity : { ...identity, infoJson: identity.infoJson ?? infoJson };
    },
    token: byToken,
  };
}
