import { commonSettings, readSettings, Type } from "@parley/service-kit";

export const timerSettings = Type.Object({
  ...commonSettings,
  STORE_URL: Type.String({
    minLength: 1,
    description: "where timers live: sqlite:/absolute/path.db, or mongodb://host/database",
  }),
});

export const readTimerConfig = () => readSettings(timerSettings);
