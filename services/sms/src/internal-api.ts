/** The SMS worker's internal API: what became of an SMS, dead letters, the queues, and the providers' callbacks. */
import { Refusal } from "@parley/protocol";
import { type ApiAccess, createInternalApi, type InternalApi, type Telemetry, Type } from "@parley/service-kit";
import type { SmsRecord } from "@parley/store";
import { addBoard } from "./board.ts";
import type { CallbackRequest, Provider } from "./providers/provider.ts";
import type { Sms } from "./sms.ts";

const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const List = Type.Object({
  status: Type.Union(
    ["failed", "unknown", "queued", "sending", "sent", "delivered"].map((status) => Type.Literal(status)),
    { default: "failed", description: "failed ones are the dead letters" },
  ),
  before: Type.Optional(Type.String({ description: "`next` of the page before" })),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
});
const Opt = Type.Object({ number: Type.String({ pattern: "^\\+[0-9]{4,15}$", description: "E.164" }) });

/** A record as the API shows it: the text stays in the store. */
const smsView = ({ id, to, kind, status, attempts, provider, providerId, error, ...record }: SmsRecord) => ({
  ...{ id, to, kind, status, attempts, provider, providerId, error },
  createdAt: new Date(record.createdAtMs).toISOString(),
  updatedAt: new Date(record.updatedAtMs).toISOString(),
  nextAt: record.dueAtMs === null ? null : new Date(record.dueAtMs).toISOString(),
});

export async function createSmsApi(options: {
  sms: Sms;
  provider: Provider;
  redisUrl: string;
  access: ApiAccess;
  telemetry: Telemetry;
}): Promise<InternalApi> {
  const { sms, provider } = options;
  const callbackPath = `/v1/callbacks/${provider.name}`;
  const api = await createInternalApi({
    title: "Parley SMS",
    description: "What became of each SMS, dead letters, and the queues (page at /queues).",
    access: options.access,
    ...options.telemetry,
    isReady: sms.isReady,
    openPaths: [callbackPath],
  });
  const tags = ["SMS"];
  const found = <T>(record: T | null, otherwise = "There is no SMS of this id"): T => {
    if (record === null) throw new Refusal("not_found", otherwise);
    return record;
  };

  api.get(
    "/v1/sms",
    { schema: { tags, summary: "SMS of a status, newest first", querystring: List } },
    async ({ query }) => {
      const { status, before = null, limit } = query as { status: SmsRecord["status"]; before?: string; limit: number };
      const records = await sms.store.list({ status, before, limit });
      return { sms: records.map(smsView), next: records.length === limit ? (records.at(-1)?.id ?? null) : null };
    },
  );
  api.get("/v1/sms/:id", { schema: { tags, summary: "One SMS", params: Id } }, async ({ params }) =>
    smsView(found(await sms.store.find(params.id))),
  );
  api.post(
    "/v1/sms/:id/replay",
    { schema: { tags, summary: "Try a failed or unknown SMS again, from the start", params: Id } },
    async ({ params }, reply) => {
      found(await sms.store.find(params.id));
      const replayed = await sms.replay(params.id);
      if (!replayed) throw new Refusal("conflict", "Only an SMS that is failed or unknown can be replayed");
      void reply.status(202);
      return smsView(replayed);
    },
  );
  api.get(
    "/v1/opt-outs/:number",
    { schema: { tags, summary: "Whether a number wants no SMS", params: Opt } },
    async ({ params }) => ({
      optedOut: await sms.store.isOptedOut(params.number),
    }),
  );
  api.put(
    "/v1/opt-outs/:number",
    { schema: { tags, summary: "No more SMS to a number", params: Opt } },
    async ({ params }) => {
      await sms.store.addOptOut(params.number, Date.now());
      return { optedOut: true };
    },
  );
  api.delete(
    "/v1/opt-outs/:number",
    { schema: { tags, summary: "SMS to a number again", params: Opt } },
    async ({ params }) => {
      await sms.store.removeOptOut(params.number);
      return { optedOut: false };
    },
  );
  await addCallbacks(api, callbackPath, options);
  await addBoard(api, { redisUrl: options.redisUrl, logger: options.telemetry.logger });
  return api;
}

/** The provider calls here; its signature, over the body as it came, says that it is the provider. */
async function addCallbacks(
  api: InternalApi,
  path: string,
  { sms, provider }: { sms: Sms; provider: Provider },
): Promise<void> {
  const { readCallback } = provider;
  if (!readCallback) return;
  await api.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
    const schema = { tags: ["callbacks"], summary: "Receipts and incoming SMS, signed by the provider" };
    scope.post(path, { schema }, async ({ url, headers, body }, reply) => {
      const request: CallbackRequest = {
        path: url,
        header: (name) => {
          const value = headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        body: typeof body === "string" ? body : "",
      };
      for (const callback of readCallback(request)) await sms.take(callback);
      return reply.status(204).send();
    });
  });
}
