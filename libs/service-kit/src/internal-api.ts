import type { AddressInfo } from "node:net";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from "fastify";
import { Value } from "typebox/value";
import { type ApiAccess, createAccessCheck } from "./api-access.ts";
import { addApiMetrics } from "./api-metrics.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { addLogLevelRoutes } from "./log-level.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Span, Tracing } from "./tracing.ts";
import { version } from "./version.ts";

export type InternalApi = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface InternalApiOptions extends Telemetry {
  title: string;
  description: string;
  access: ApiAccess;
  /** Whether the service can do its work now: what `/readyz` says. */
  isReady: () => boolean;
  /** Paths that need no service token because they check their callers in a way of their own. */
  openPaths?: readonly string[];
}

/** Error of the internal APIs: `{error, code}` with a status. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly statusCode: number;
  readonly code: string;
  /** Written for the caller, whatever the status. */
  get told(): string {
    return this.message;
  }
  constructor(statusCode: number, code: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
  }
}

/** What a route may throw beside ApiError: anything with a `statusCode` and a `code`. `told`: what the caller may know of it. */
type ApiFault = Error & { statusCode?: number; code?: string; validation?: unknown; told?: string };

/** The provider's own compiler leaves a query's defaults out, so what was not given would be refused as missing. */
const compileWithDefaults: typeof TypeBoxValidatorCompiler = (route) => {
  const validate = TypeBoxValidatorCompiler(route);
  return route.httpPart === "querystring" ? (query) => validate(Value.Default(route.schema, query)) : validate;
};

/** `Basic` credentials as the bearer token that their password is; all else as it came. */
function asBearer(authorization: string): string {
  const [scheme, credentials = ""] = authorization.split(" ", 2);
  if (scheme !== "Basic") return authorization;
  const [, ...password] = Buffer.from(credentials, "base64").toString("utf8").split(":");
  return `Bearer ${password.join(":")}`;
}

/**
 * A Fastify server with `/healthz`, `/readyz`, `/openapi.json` and the page `/docs`; all but the first two ask for the service
 * token: `Authorization: Bearer …`, or, for browsers, which ask a person for it, as the password of any name. Add routes, then
 * `listen`.
 */
export async function createInternalApi(options: InternalApiOptions): Promise<InternalApi> {
  const api = fastify({
    loggerInstance: options.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 256 * 1024,
    // Who sends a request a byte at a time holds a connection no longer than this.
    requestTimeout: 30_000,
  })
    .withTypeProvider<TypeBoxTypeProvider>()
    .setValidatorCompiler(compileWithDefaults);
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: options.title, description: options.description, version },
      components: { securitySchemes: { service: { type: "http", scheme: "bearer" } } },
      security: [{ service: [] }],
    },
  });
  await api.register(swaggerUi, { routePrefix: "/docs" });

  // `Parley chat` → `parley-chat`: whom a token must be for.
  const isLetIn = createAccessCheck(options.access, options.title.toLowerCase().replaceAll(" ", "-"));
  const openPaths = new Set(options.openPaths);
  const open = options.access.docsOpen ? /^\/(healthz|readyz|openapi\.json|docs(\/.*)?)$/ : /^\/(healthz|readyz)$/;
  api.addHook("onRequest", async (request, reply) => {
    const path = request.url.split("?", 1)[0] as string;
    if (open.test(path) || openPaths.has(path)) return;
    if (await isLetIn(asBearer(request.headers.authorization ?? ""))) return;
    void reply.header("www-authenticate", 'Basic realm="Parley: the service token is the password"');
    throw new ApiError(401, "unauthorized", "Send the header Authorization: Bearer <service token> (INTERNAL_TOKEN)");
  });
  addApiMetrics(api, options.metrics);
  if (options.tracing) traceRequests(api, options.tracing);
  api.setErrorHandler((error: ApiFault, request, reply) => {
    const status = error.statusCode ?? 500;
    const known = status < 500 || error.told !== undefined;
    if (status >= 500) request.log[known ? "warn" : "error"]({ err: error }, "internal API");
    void reply.status(status).send({
      error: known ? (error.told ?? error.message) : "Something went wrong on our side",
      code: error.validation ? "bad_request" : known ? (error.code ?? "bad_request") : "internal",
    });
  });
  api.setNotFoundHandler((_request, reply) => {
    void reply.status(404).send({ error: "There is nothing at this path; see /docs", code: "not_found" });
  });
  api.get("/healthz", { schema: { hide: true } }, () => ({ ok: true }));
  api.get("/readyz", { schema: { hide: true } }, (_request, reply) => {
    const ready = options.isReady();
    void reply.status(ready ? 200 : 503).send({ ready });
  });
  addLogLevelRoutes(api, options.logger);
  api.get("/openapi.json", { schema: { hide: true } }, () => api.swagger());
  return api;
}

/** Serves the API at its port until the service stops. Answers where that is. */
export async function serveInternalApi(
  api: InternalApi,
  { INTERNAL_HOST: host, INTERNAL_PORT: port }: { INTERNAL_HOST: string; INTERNAL_PORT: number },
  lifecycle: Lifecycle,
): Promise<AddressInfo> {
  await api.listen({ host, port });
  lifecycle.onStop("internal API", () => api.close());
  return api.addresses()[0] as AddressInfo;
}

/** A call goes on with its caller's trace, or may begin one. */
function traceRequests(api: InternalApi, tracing: Tracing): void {
  const spans = new WeakMap<object, Span>();
  api.addHook("onRequest", (request, _reply, done) => {
    const { traceparent } = request.headers;
    const name = `${request.method} ${request.routeOptions.url ?? "unknown"}`;
    const span = typeof traceparent === "string" ? tracing.follow(traceparent, name) : tracing.start(name);
    if (!span) return done();
    spans.set(request, span);
    tracing.enter(span, done);
  });
  api.addHook("onResponse", (request, reply, done) => {
    spans.get(request)?.end(reply.statusCode >= 500 ? `HTTP ${reply.statusCode}` : undefined);
    done();
  });
}
