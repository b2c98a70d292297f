import { commonSettings, readSettings, Type } from "@parley/service-kit";

export const notifySettings = Type.Object({
  ...commonSettings,
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
});

export const readNotifyConfig = () => readSettings(notifySettings);
