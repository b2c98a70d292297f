import { ConfigError, commonSettings, readSettings, type Static, storeSettings, Type } from "@parley/service-kit";

export const chatSettings = Type.Object({
  ...commonSettings,
  ...storeSettings,
  STORE_URL: Type.String({
    minLength: 1,
    description: "where messages live: sqlite:/absolute/path.db or mongodb://host/database",
  }),
  ROOMS_BY_USE: Type.Boolean({ default: true, description: "joining or sending to an absent room makes it, public" }),
  ANNOUNCE_MEMBERS_MAX: Type.Integer({
    default: 200,
    minimum: 0,
    description: "rooms with more members don't tell of each one who comes and goes",
  }),
  AUTHORIZE_URL: Type.Optional(Type.String({ description: "asked whether somebody may join or send" })),
  AUTHORIZE_SECRET: Type.Optional(Type.String({ minLength: 16, description: "signs what is asked there" })),
  AUTHORIZE_TIMEOUT_MS: Type.Integer({ default: 1_000, minimum: 10, description: "how long the answer may take" }),
  AUTHORIZE_KEEP_MS: Type.Integer({ default: 30_000, minimum: 0, description: "how long an answer holds" }),
  SWEEP_EVERY_MS: Type.Integer({
    default: 60_000,
    minimum: 100,
    description: "how often entries beyond a room's retention, and guests long gone, are removed",
  }),
});

/** What `migrate.ts` needs. */
export const readMigrateConfig = () => readSettings(Type.Object({ STORE_URL: chatSettings.properties.STORE_URL }));

export const readChatConfig = () => readSettings(chatSettings);

/** Where the application is asked who may do what; null where it is not. Throws ConfigError. */
export function authorizingOf(config: Static<typeof chatSettings>) {
  const { AUTHORIZE_URL: url, AUTHORIZE_SECRET: secret } = config;
  if (url === undefined) return null;
  if (secret === undefined)
    throw new ConfigError("AUTHORIZE_URL needs AUTHORIZE_SECRET, which signs what is asked there");
  if (!URL.canParse(url)) throw new ConfigError("AUTHORIZE_URL must be an address like https://app.example/may");
  return { url, secret, timeoutMs: config.AUTHORIZE_TIMEOUT_MS, keepMs: config.AUTHORIZE_KEEP_MS };
}
