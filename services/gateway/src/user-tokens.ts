/** Tokens (JWT) that the application around Parley issues to its users: what they must be, and what they say. */
import { encodeRights, isRight, type Right, rightNames } from "@parley/bus";
import { checkName, checkUserId, limits } from "@parley/protocol";
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { createJwks, type FindKey } from "./jwks.ts";

export interface UserTokenOptions {
  /** Secrets of HS256, one or, while they change, two; none: no such tokens. */
  secrets: readonly string[];
  /** Where the issuer's public keys are; null: no such tokens. */
  jwksUrl: string | null;
  /** Which algorithms of public keys are taken. */
  algorithms: readonly string[];
  issuer: string | null;
  audience: string;
  /** What a token without `rights` and without `roles` may. */
  defaultRights: readonly Right[];
  findKey?: FindKey;
}

/** What a token says of its bearer. */
export interface UserClaims {
  id: string;
  name: string;
  /** As in libs/bus/src/rights.ts. */
  rights: string;
  /** JSON text of an object, or null. */
  infoJson: string | null;
  tokenId: string | null;
  /** 0 where the token does not say. */
  issuedAtMs: number;
  expiresAtMs: number;
}

/** A role stands for rights. */
const roles: { readonly [role: string]: readonly Right[] } = {
  member: ["join", "send", "timer"],
  moderator: ["join", "send", "timer", "moderate"],
  agent: ["join", "send", "timer", "tickets"],
  admin: rightNames,
};

/** Another clock than ours issued the token; what is over is over, though. */
const leewaySeconds = 5;
const maxPatterns = 100;

/** The token can't be used; the message says why, to its bearer. */
export class WrongToken extends Error {
  override name = "WrongToken";
}

/** Rejects with WrongToken, or with KeysUnavailable while nobody can say. */
export type VerifyUserToken = (token: string) => Promise<UserClaims>;

export function createUserTokens(options: UserTokenOptions): VerifyUserToken {
  const secrets = options.secrets.map((secret) => new TextEncoder().encode(secret));
  const findKey = options.findKey ?? (options.jwksUrl === null ? null : createJwks({ url: options.jwksUrl }));
  const checks = {
    audience: options.audience,
    requiredClaims: ["sub", "exp"],
    clockTolerance: leewaySeconds,
    ...(options.issuer === null ? {} : { issuer: options.issuer }),
  };

  const verify = async (token: string): Promise<JWTPayload> => {
    const { alg } = decodeProtectedHeader(token);
    // The algorithm chooses among kinds of keys, and each kind takes only its own: a public key is never an HS256 secret.
    if (alg === "HS256" && secrets.length > 0) {
      for (const [i, secret] of secrets.entries()) {
        try {
          return (await jwtVerify(token, secret, { ...checks, algorithms: ["HS256"] })).payload;
        } catch (error) {
          if (i < secrets.length - 1 && error instanceof errors.JWSSignatureVerificationFailed) continue;
          throw error;
        }
      }
    }
    if (alg !== undefined && options.algorithms.includes(alg) && findKey)
      return (await jwtVerify(token, findKey, { ...checks, algorithms: [alg] })).payload;
    throw new WrongToken("This token's algorithm is not one that is taken here");
  };

  return async (token) => {
    let payload: JWTPayload;
    try {
      payload = await verify(token);
    } catch (error) {
      throw error instanceof errors.JOSEError || error instanceof TypeError ? wrong(error) : error;
    }
    try {
      return readClaims(payload, options.defaultRights);
    } catch (error) {
      throw error instanceof WrongToken ? error : new WrongToken((error as Error).message, { cause: error });
    }
  };
}

/** Says what its bearer can mend; of signatures and keys only that they are wrong. */
function wrong(cause: Error): WrongToken {
  let message = "This token was not issued for here, or was changed";
  if (cause instanceof errors.JWTExpired) message = "This token has run out";
  else if (cause instanceof errors.JWTClaimValidationFailed) message = `This token's claim ${cause.claim} is wrong`;
  return new WrongToken(message, { cause });
}

function readClaims(payload: JWTPayload, defaultRights: readonly Right[]): UserClaims {
  const id = checkUserId(payload.sub, "the token's sub");
  // Nobody is the system. (An id that Parley gave to a guest is a user's once that guest was made one: the worker knows.)
  if (id === "system") throw new WrongToken(`The token's sub ${id} is reserved`);
  const expiresAtMs = (payload.exp as number) * 1000;
  if (expiresAtMs <= Date.now()) throw new WrongToken("This token has run out");
  const name = payload.name === undefined ? id : checkName(payload.name, "the token's name", limits.userNameChars);
  const { info } = payload;
  if (info !== undefined && (typeof info !== "object" || info === null || Array.isArray(info)))
    throw new WrongToken("The token's info must be an object");
  const infoJson = info === undefined ? null : JSON.stringify(info);
  if (infoJson !== null && Buffer.byteLength(infoJson) > limits.infoBytes)
    throw new WrongToken(`The token's info is over ${limits.infoBytes} bytes`);
  return {
    id,
    name,
    rights: readRights(payload, defaultRights),
    infoJson,
    tokenId: typeof payload.jti === "string" ? payload.jti : null,
    issuedAtMs: typeof payload.iat === "number" ? payload.iat * 1000 : 0,
    expiresAtMs,
  };
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

function readRights(payload: JWTPayload, defaultRights: readonly Right[]): string {
  const given = new Set<Right>();
  if (payload.roles !== undefined) {
    if (!isTexts(payload.roles)) throw new WrongToken("The token's roles must be an array of strings");
    // Roles that the application has for purposes of its own say nothing here.
    for (const role of payload.roles)
      if (Object.hasOwn(roles, role)) for (const right of roles[role]!) given.add(right);
  }
  if (payload.rights !== undefined) {
    if (!isTexts(payload.rights)) throw new WrongToken("The token's rights must be an array of strings");
    for (const right of payload.rights) {
      if (!isRight(right)) throw new WrongToken(`The token's right ${right} is none of ${rightNames.join(", ")}`);
      given.add(right);
    }
  }
  if (payload.roles === undefined && payload.rights === undefined) for (const right of defaultRights) given.add(right);
  if (payload.rooms === undefined) return encodeRights(given);
  if (!isTexts(payload.rooms) || payload.rooms.length > maxPatterns)
    throw new WrongToken(`The token's rooms must be an array of up to ${maxPatterns} patterns`);
  const patterns = payload.rooms.map((pattern) => checkName(pattern, "a pattern of the token's rooms", 128));
  return encodeRights(given, patterns);
}
