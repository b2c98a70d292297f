import { isRight, type Right, rightNames } from "@parley/bus";
import { type LimitName, limits } from "@parley/protocol";
import { ConfigError, commonSettings, readSettings, type Static, Type } from "@parley/service-kit";
import type { AuthenticateOptions } from "./authenticate.ts";

const limit = (value: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: value, minimum, maximum, description });

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
  TRUSTED_PROXIES: Type.String({
    default: "",
    description: "addresses and networks of proxies whose X-Forwarded-For is believed, comma-separated",
  }),
  FRAME_BYTES: limit(limits.frameBytes, 1_024, 512 * 1024, "bytes of a client's frame"),
  TEXT_BYTES: limit(limits.textBytes, 1, 256 * 1024, "bytes of a message's text"),
  NESTING: limit(limits.nesting, 2, 64, "levels of nesting in a frame"),
  ROOM_NAME_CHARS: limit(limits.roomNameChars, 1, 256, "characters of a room's name"),
  ROOMS_PER_SESSION: limit(limits.roomsPerSession, 1, 10_000, "rooms that one session may listen to"),
  EVENTS_PER_SECOND: limit(limits.eventsPerSecond, 1, 100_000, "client events a second of a connection"),
  EVENTS_BURST: limit(limits.eventsBurst, 1, 100_000, "client events at once of a connection"),
  BAD_FRAMES_PER_MINUTE: limit(
    limits.badFramesBeforeClose,
    1,
    1_000_000,
    "bad frames a minute before a connection ends",
  ),
  USER_EVENTS_PER_SECOND: limit(
    limits.userEventsPerSecond,
    1,
    100_000,
    "client events a second of a user, on all nodes",
  ),
  USER_SESSIONS: limit(limits.userSessions, 1, 100_000, "sessions of a user, on all nodes"),
  ADDRESS_CONNECTIONS_PER_SECOND: limit(
    limits.connectionsPerSecondPerAddress,
    1,
    1_000_000,
    "new connections a second from one address",
  ),
  NODE_CONNECTIONS_PER_SECOND: limit(
    limits.connectionsPerSecondPerNode,
    1,
    1_000_000,
    "new connections a second to this node",
  ),
  WAITING_BYTES: limit(limits.waitingBytes, 64 * 1024, 64 * 1024 * 1024, "bytes that may wait for a slow client"),
  REGISTER_WITHIN_MS: limit(limits.registerWithinMs, 100, 600_000, "how long a connection may take to register"),
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

/** The limits as the settings have them. */
export const limitsOf = (config: GatewayConfig): { [name in LimitName]?: number } => ({
  frameBytes: config.FRAME_BYTES,
  textBytes: config.TEXT_BYTES,
  nesting: config.NESTING,
  roomNameChars: config.ROOM_NAME_CHARS,
  roomsPerSession: config.ROOMS_PER_SESSION,
  eventsPerSecond: config.EVENTS_PER_SECOND,
  eventsBurst: config.EVENTS_BURST,
  badFramesBeforeClose: config.BAD_FRAMES_PER_MINUTE,
  userEventsPerSecond: config.USER_EVENTS_PER_SECOND,
  userSessions: config.USER_SESSIONS,
  connectionsPerSecondPerAddress: config.ADDRESS_CONNECTIONS_PER_SECOND,
  connectionsPerSecondPerNode: config.NODE_CONNECTIONS_PER_SECOND,
  waitingBytes: config.WAITING_BYTES,
  registerWithinMs: config.REGISTER_WITHIN_MS,
});

export const trustedProxiesOf = (config: GatewayConfig): string[] => listOf(config.TRUSTED_PROXIES);

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
