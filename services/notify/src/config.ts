import { commonSettings, readSettings, storeSettings, Type } from "@parley/service-kit";

export const notifySettings = Type.Object({
  ...commonSettings,
  ...storeSettings,
  STORE_URL: Type.String({ minLength: 1, description: "where rooms, users and tickets live" }),
  NOTICE_STORE_URL: Type.Optional(
    Type.String({ description: "where notifications and SMS live; as STORE_URL unless set" }),
  ),
  REDIS_URL: Type.String({ minLength: 1, description: "where the queues live: redis://host:port" }),
  SMS_SEGMENTS_MAX: Type.Integer({ default: 10, minimum: 1, description: "longest SMS, in segments" }),
  SMS_BLOCKED_COUNTRIES: Type.String({
    default: "",
    description: "countries (ISO 3166, comma-separated) that get no SMS",
  }),
  SMS_PER_NUMBER: Type.Integer({ default: 30, minimum: 1, description: "SMS an hour to one number" }),
  PHONES_BY_USER: Type.Boolean({ default: false, description: "people may name their own phone number, unchecked" }),
  NOTIFY_UNSEEN_MS: Type.Integer({
    default: 10 * 60_000,
    minimum: 0,
    description: "how long somebody has to see a notification in the app before other channels are used",
  }),
  NOTIFY_SEEN_MS: Type.Integer({
    default: 3_000,
    minimum: 0,
    description: "how long somebody in a room has to read a message, and is then not notified of it",
  }),
  NOTIFY_WEBHOOK_URL: Type.Optional(
    Type.String({ description: "gets a signed POST for notifications to the webhook channel" }),
  ),
  NOTIFY_WEBHOOK_SECRET: Type.Optional(Type.String({ minLength: 16 })),
  NOTIFY_SWEEP_EVERY_MS: Type.Integer({
    default: 10_000,
    minimum: 50,
    description: "how often records without a job are looked for",
  }),
  NOTIFY_KEEP_DAYS: Type.Integer({ default: 90, minimum: 1, description: "how long notifications are kept" }),
});

export const readNotifyConfig = () => readSettings(notifySettings);
