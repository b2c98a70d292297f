import { commonSettings, readSettings, storeSettings, Type } from "@parley/service-kit";

export const presenceSettings = Type.Object({
  ...commonSettings,
  ...storeSettings,
  STORE_URL: Type.String({ minLength: 1, description: "where users live: as for the chat workers" }),
  REDIS_URL: Type.String({ minLength: 1, description: "where presence lives: redis://host:port" }),
  GRACE_MS: Type.Integer({
    default: 5_000,
    minimum: 0,
    description: "how long somebody whose last session ended still counts as here",
  }),
  LEASE_MS: Type.Integer({
    default: 10_000,
    minimum: 2_000,
    description: "how long a gateway that is not heard of counts as alive",
  }),
});

export const readPresenceConfig = () => readSettings(presenceSettings);
