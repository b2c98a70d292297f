/** Settings come from the environment, once, checked against a schema, with an error that says what to set. */
import { type Static, type TObject, Type } from "typebox";
import { Value } from "typebox/value";
import { logLevels } from "./log-level.ts";
import type { Logger } from "./logger.ts";
import type { Tracing } from "./tracing.ts";

export class ConfigError extends Error {
  override name = "ConfigError";
}

/** For services with a store. */
export const storeSettings = {
  STORE_TIMEOUT_MS: Type.Integer({
    default: 5_000,
    minimum: 100,
    maximum: 9_000,
    description: "how long a call of the store may take before it counts as unavailable",
  }),
  STORE_POOL_SIZE: Type.Integer({
    default: 20,
    minimum: 2,
    description: "connections to MongoDB at most; appends take half of them",
  }),
};

/** What openStore is told of these settings. */
export const storeOptions = (config: { STORE_TIMEOUT_MS: number; STORE_POOL_SIZE: number }) => ({
  sqlite: { busyTimeoutMs: config.STORE_TIMEOUT_MS },
  mongodb: { timeoutMs: config.STORE_TIMEOUT_MS, poolSize: config.STORE_POOL_SIZE },
});

/** Settings that every service has. */
export const commonSettings = {
  NATS_URL: Type.String({ default: "nats://127.0.0.1:4222", description: "NATS servers, comma-separated" }),
  NATS_USER: Type.Optional(Type.String({ description: "this service's user at NATS" })),
  NATS_PASSWORD: Type.Optional(Type.String({ description: "and its password" })),
  NATS_TLS_CA: Type.Optional(Type.String({ description: "file of the authority that signed NATS' certificate" })),
  NATS_TLS_CERT: Type.Optional(Type.String({ description: "file of this service's own certificate" })),
  NATS_TLS_KEY: Type.Optional(Type.String({ description: "file of that certificate's key" })),
  INSTANCE: Type.String({ default: "1", description: "which of its kind this process is, for logs" }),
  INTERNAL_HOST: Type.String({ default: "127.0.0.1", description: "address of the internal API" }),
  INTERNAL_PORT: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65535,
    description: "port of the internal API; 0: any",
  }),
  METRICS_PORT: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65535,
    description: "port of GET /metrics, at INTERNAL_HOST; 0: any",
  }),
  INTERNAL_TOKEN: Type.String({ minLength: 16, description: "bearer token that callers of the internal API show" }),
  INTERNAL_DOCS_OPEN: Type.Boolean({ default: false, description: "show the internal API's page without the token" }),
  LOG_LEVEL: Type.Union(
    logLevels.map((level) => Type.Literal(level)),
    { default: "info" },
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({ pattern: "^https?://", description: "collector of traces (OTLP over HTTP); none unless set" }),
  ),
  TRACE_RATIO: Type.Number({ default: 0.01, minimum: 0, maximum: 1, description: "share of traces that is kept" }),
  DRAIN_MS: Type.Integer({ default: 20_000, minimum: 0, description: "how long a stopping service takes to let go" }),
  PARENT_PIPE: Type.Boolean({ default: false, description: "stop when standard input closes" }),
} as const;

export type CommonSettings = Static<ReturnType<typeof Type.Object<typeof commonSettings>>>;

/** What connectBus is told: of the settings, and of what a service tells of itself. */
export const busOptionsOf = <Role extends string>(
  role: Role,
  config: CommonSettings,
  { logger, tracing }: { logger: Logger; tracing: Tracing | null },
) => ({
  role,
  name: `${role}-${config.INSTANCE}`,
  tracing,
  onError: (error: Error) => logger.error({ err: error }, "NATS"),
  url: config.NATS_URL,
  user: config.NATS_USER,
  password: config.NATS_PASSWORD,
  tls: { caFile: config.NATS_TLS_CA, certFile: config.NATS_TLS_CERT, keyFile: config.NATS_TLS_KEY },
});

/** Reads the settings that `schema` names. Throws ConfigError naming each one that is wrong. */
export function readSettings<Schema extends TObject>(
  schema: Schema,
  from: NodeJS.ProcessEnv = process.env,
): Static<Schema> {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = from[name];
    if (value !== undefined && value !== "") given[name] = value;
  }
  const settings = Value.Default(schema, Value.Convert(schema, given));
  if (Value.Check(schema, settings)) return settings as Static<Schema>;
  const faults = [...Value.Errors(schema, settings)].map((fault) => {
    const name = fault.instancePath.slice(1);
    return `${name || "settings"} ${fault.message}`;
  });
  throw new ConfigError(`Wrong settings in the environment: ${faults.join("; ")}`);
}
