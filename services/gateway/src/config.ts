import { isRight, type Right, rightNames } from "@parley/bus";
import { ConfigError, commonSettings, readSettings, type Static, Type } from "@parley/service-kit";
import type { AuthenticateOptions } from "./authenticate.ts";

export const gatewaySettings = Type.Object({
  ...commonSettings,
  HOST: Type.String({ default: "0.0.0.0", description: "address of the public port" }),
  PORT: Type.Integer({ default: 8080, minimum: 0, maximum: 65535, description: "the public port; 0: any" }),
  WEB_DIR: Type.Optional(Type.String({ description: "folder of the page served at /" })),
  GUEST_KEY: Type.String({ minLength: 32, description: "secret that signs guests' tokens; the same on every gateway" }),
  GUESTS: Type.Boolean({ default: true, description: "let people in without a token, as guests" }),
  GUEST_RIGHTS: Type.String({ default: "join,send,timer", description: "what guests may do" }),
  TOKEN_SECRET: Type.Optional(Type.String({ minLength: 32, description: "secret of users' tokens signed by HS256" })),
  TOKEN_JWKS_URL: Type.Optional(Type.String({ description: "where the public keys of users' tokens are" })),
  TOKEN_ALGORITHMS: Type.String({ default: "RS256,ES256,EdDSA", description: "algorithms of those keys" }),
  TOKEN_ISSUER: Type.Optional(Type.String({ description: "what iss of users' tokens must be" })),
  TOKEN_AUDIENCE: Type.String({ default: "parley", minLength: 1, description: "what aud of users' tokens must be" }),
  TOKEN_RIGHTS: Type.String({ default: "join,send,timer", description: "rights of a token that names none" }),
  ALLOWED_ORIGINS: Type.String({
    default: "",
    description: "origins, comma-separated, whose pages may connect besides this gateway's own; *: any",
  }),
  LOBBY_ROOM: Type.String({
    default: "lobby",
    maxLength: 128,
    description: "room of Socket.IO clients that joined none; empty: none",
  }),
  RAW_ROOMS: Type.Boolean({ default: true, description: "allow /raw/{room}, which asks nobody who they are" }),
  PRESENCE_ALL_MAX: Type.Integer({
    default: 1_000,
    minimum: 0,
    description: "from so many users online on, nobody hears of everyone's presence, but of those in the same rooms",
  }),
  LOAD_TEST: Type.Boolean({ default: false, description: "lift the limits per session and per address" }),
});

export type GatewayConfig = Static<typeof gatewaySettings>;

export const readGatewayConfig = () => readSettings(gatewaySettings);

const listOf = (text: string): string[] => text.split(",").flatMap((item) => item.trim() || []);

function rightsOf(setting: string, text: string): Right[] {
  return listOf(text).map((name) => {
    if (!isRight(name)) throw new ConfigError(`${setting} names "${name}", which is none of ${rightNames.join(", ")}`);
    return name;
  });
}

/** Secrets, one or, while one takes over from another, several; commas between them. */
function secretsOf(setting: string, text: string): string[] {
  const secrets = listOf(text);
  if (secrets.some((secret) => secret.length < 32))
    throw new ConfigError(`${setting} must be secrets of 32 characters or more, separated by commas`);
  return secrets;
}

const publicKeyAlgorithms = /^((RS|PS|ES)(256|384|512)|EdDSA|Ed25519)$/;

/** Who is let in. Throws ConfigError. */
export function authenticateOptionsOf(config: GatewayConfig): AuthenticateOptions {
  const algorithms = listOf(config.TOKEN_ALGORITHMS);
  for (const name of algorithms)
    if (!publicKeyAlgorithms.test(name))
      throw new ConfigError(`TOKEN_ALGORITHMS names "${name}"; it takes RS256, PS256, ES256, EdDSA and their like`);
  if (config.TOKEN_JWKS_URL !== undefined && !/^https?:\/\//.test(config.TOKEN_JWKS_URL))
    throw new ConfigError("TOKEN_JWKS_URL must be an address that begins with https://");
  return {
    guestKeys: secretsOf("GUEST_KEY", config.GUEST_KEY),
    guestRights: config.GUESTS ? rightsOf("GUEST_RIGHTS", config.GUEST_RIGHTS) : null,
    userTokens: {
      secrets: secretsOf("TOKEN_SECRET", config.TOKEN_SECRET ?? ""),
      jwksUrl: config.TOKEN_JWKS_URL ?? null,
      algorithms,
      issuer: config.TOKEN_ISSUER ?? null,
      audience: config.TOKEN_AUDIENCE,
      defaultRights: rightsOf("TOKEN_RIGHTS", config.TOKEN_RIGHTS),
    },
  };
}
