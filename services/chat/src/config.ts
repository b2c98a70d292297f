import { commonSettings, readSettings, Type } from "@parley/service-kit";

export const chatSettings = Type.Object({
  ...commonSettings,
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
  SWEEP_EVERY_MS: Type.Integer({
    default: 60_000,
    minimum: 100,
    description: "how often entries beyond a room's retention, and guests long gone, are removed",
  }),
});

/** What `migrate.ts` needs. */
export const readMigrateConfig = () => readSettings(Type.Object({ STORE_URL: chatSettings.properties.STORE_URL }));

export const readChatConfig = () => readSettings(chatSettings);
