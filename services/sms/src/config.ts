import { ConfigError, commonSettings, readSettings, storeSettings, Type } from "@parley/service-kit";

export const smsSettings = Type.Object({
  ...commonSettings,
  ...storeSettings,
  NOTICE_STORE_URL: Type.String({ minLength: 1, description: "where notifications and SMS live" }),
  REDIS_URL: Type.String({ minLength: 1, description: "where the queues live: redis://host:port" }),
  SMS_PROVIDER: Type.Union(
    ["file", "webhook", "twilio"].map((name) => Type.Literal(name)),
    { default: "file", description: "who carries SMS" },
  ),
  SMS_FILE: Type.Optional(Type.String({ description: "the file provider's file" })),
  SMS_PHONES: Type.Boolean({
    default: false,
    description: "the file provider's SMS are shown to whoever gave the number",
  }),
  SMS_WEBHOOK_URL: Type.Optional(Type.String({ description: "gets a POST for each SMS" })),
  SMS_WEBHOOK_SECRET: Type.Optional(
    Type.String({ minLength: 16, description: "signs what goes there and comes back" }),
  ),
  TWILIO_ACCOUNT_SID: Type.Optional(Type.String()),
  TWILIO_AUTH_TOKEN: Type.Optional(Type.String()),
  TWILIO_FROM: Type.Optional(Type.String({ description: "our number, or the sid of a messaging service" })),
  TWILIO_API_URL: Type.Optional(Type.String({ description: "instead of https://api.twilio.com" })),
  SMS_PUBLIC_URL: Type.Optional(Type.String({ description: "where the provider reaches this service's callbacks" })),
  SMS_LANES: Type.Union(
    ["both", "transactional", "bulk"].map((name) => Type.Literal(name)),
    { default: "both", description: "which queues this process works on" },
  ),
  SMS_CONCURRENCY: Type.Integer({
    default: 20,
    minimum: 1,
    description: "calls to the provider at a time, for each queue",
  }),
  SMS_TRANSACTIONAL_PER_SECOND: Type.Integer({ default: 100, minimum: 1, description: "of all processes together" }),
  SMS_BULK_PER_SECOND: Type.Integer({ default: 20, minimum: 1, description: "of all processes together" }),
  SMS_TIMEOUT_MS: Type.Integer({
    default: 10_000,
    minimum: 100,
    description: "how long the provider may take for one",
  }),
  SMS_ATTEMPTS: Type.Integer({
    default: 6,
    minimum: 1,
    description: "attempts before an SMS goes to the dead letters",
  }),
  SMS_RETRY_MS: Type.Integer({
    default: 2_000,
    minimum: 1,
    description: "wait after the first refusal; doubles each time",
  }),
  SMS_RETRY_MAX_MS: Type.Integer({ default: 10 * 60_000, minimum: 1, description: "longest wait between attempts" }),
  SMS_SETTLE_MS: Type.Integer({
    default: 30_000,
    minimum: 10,
    description: "when the provider is asked about an unknown outcome",
  }),
  SMS_SWEEP_EVERY_MS: Type.Integer({
    default: 10_000,
    minimum: 50,
    description: "how often records without a job are looked for",
  }),
  SMS_KEEP_DAYS: Type.Integer({ default: 90, minimum: 1, description: "how long ended SMS are kept" }),
});

/** Throws ConfigError also where the provider lacks what it needs. */
export function readSmsConfig(from?: NodeJS.ProcessEnv) {
  const config = readSettings(smsSettings, from);
  const needed: Record<string, (keyof typeof config)[]> = {
    file: ["SMS_FILE"],
    webhook: ["SMS_WEBHOOK_URL", "SMS_WEBHOOK_SECRET"],
    twilio: ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"],
  };
  const missing = needed[config.SMS_PROVIDER]?.filter((name) => config[name] === undefined) ?? [];
  if (missing.length > 0) throw new ConfigError(`SMS_PROVIDER=${config.SMS_PROVIDER} needs ${missing.join(", ")}`);
  return config;
}

export type SmsConfig = ReturnType<typeof readSmsConfig>;
