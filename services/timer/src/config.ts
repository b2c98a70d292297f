import { commonSettings, readSettings, storeSettings, Type } from "@parley/service-kit";

export const timerSettings = Type.Object({
  ...commonSettings,
  ...storeSettings,
  STORE_URL: Type.String({
    minLength: 1,
    description: "where timers live: sqlite:/absolute/path.db, or mongodb://host/database",
  }),
});

export const readTimerConfig = () => readSettings(timerSettings);
