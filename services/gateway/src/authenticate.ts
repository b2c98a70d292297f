/** Who somebody is. Guests carry a token that this system signed; other tokens come in behind the same function. */
import { randomBytes } from "node:crypto";
import type { Actor } from "@parley/bus";
import { type ClientEvent, Refusal } from "@parley/protocol";
import { jwtVerify, SignJWT } from "jose";

export interface Identity {
  user: Actor;
  infoJson: string | null;
  /** A guest that is new. */
  fresh: boolean;
  /** The guest's way back; null for others. */
  token: string | null;
}

type Register = Extract<ClientEvent, { event: "Register" }>;
export type Authenticate = (register: Register) => Promise<Identity>;

const audience = "parley-guest";

/** `guestKey`: the secret, at least 32 characters, shared by all gateways. Refuses with `unauthorized`. */
export function createAuthenticate(guestKey: string): Authenticate {
  const key = new TextEncoder().encode(guestKey);

  const newGuest = async (name: string | null, infoJson: string | null): Promise<Identity> => {
    const id = `guest-${randomBytes(9).toString("base64url")}`;
    const user = { id, name: name ?? `Guest ${id.slice(-4)}`, guest: true };
    // No expiry of its own: a guest ends 24 h after the last session, which only the store knows.
    const token = await new SignJWT({ name: user.name })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(id)
      .setAudience(audience)
      .setIssuedAt()
      .sign(key);
    return { user, infoJson, fresh: true, token };
  };

  return async ({ token, name, infoJson, guest }) => {
    if (guest) return newGuest(name, infoJson);
    if (token === null) throw new Refusal("unauthorized", "Send a token, or guest:true");
    try {
      const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"], audience, requiredClaims: ["sub"] });
      const known = String(payload.name ?? payload.sub);
      return { user: { id: String(payload.sub), name: known, guest: true }, infoJson: null, fresh: false, token };
    } catch (cause) {
      throw Object.assign(new Refusal("unauthorized", "This token is not one of ours, or was changed"), { cause });
    }
  };
}
