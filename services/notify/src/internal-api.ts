/** The notify worker's internal API: what an application's backend does with notifications and SMS. */
import { Refusal } from "@parley/protocol";
import {
  type ApiAccess,
  createInternalApi,
  type InternalApi,
  type Logger,
  type Tracing,
  Type,
} from "@parley/service-kit";
import { checkKey } from "./accept-sms.ts";
import type { Notify } from "./notify.ts";

/** Room for a text that is too long by far, so that it is refused by what is wrong with it. */
const smsBodyBytes = 2 * 1024 * 1024;

const NewSms = Type.Object(
  {
    to: Type.String({ description: "E.164: +12025550123" }),
    text: Type.String(),
    kind: Type.Union([Type.Literal("transactional"), Type.Literal("bulk")], {
      description: "transactional: debit, credit, one-time code; bulk has a queue and workers of its own",
    }),
    onUnknown: Type.Optional(
      Type.Union([Type.Literal("settle"), Type.Literal("resend")], {
        description: "when nobody knows whether the provider got it: wait for word (settle), or send it again (resend)",
      }),
    ),
  },
  { additionalProperties: false },
);
const Key = Type.Object({
  "idempotency-key": Type.Optional(Type.String({ description: "makes the call safe to repeat" })),
});
const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });

export async function createNotifyApi(options: {
  notify: Notify;
  access: ApiAccess;
  logger: Logger;
  tracing: Tracing | null;
  version: string;
}): Promise<InternalApi> {
  const { notify } = options;
  const api = await createInternalApi({
    title: "Parley notify",
    description: "Notifications and SMS: an answer of 202 means that it is recorded, and will be seen to.",
    version: options.version,
    access: options.access,
    logger: options.logger,
    tracing: options.tracing,
    isReady: notify.isReady,
  });
  addSms(api, notify);
  return api;
}

function addSms(api: InternalApi, { acceptSms, notices }: Notify): void {
  const tags = ["SMS"];
  api.post(
    "/v1/sms",
    {
      bodyLimit: smsBodyBytes,
      schema: { tags, summary: "Send an SMS; it is recorded when this answers", headers: Key, body: NewSms },
    },
    async ({ body, headers }, reply) => {
      const { record, created } = await acceptSms(body, checkKey(headers["idempotency-key"]));
      void reply.status(202);
      return { id: record.id, status: record.status, duplicate: !created };
    },
  );
  api.get("/v1/sms/:id", { schema: { tags, summary: "What became of an SMS", params: Id } }, async ({ params }) => {
    const record = await notices.sms.find(params.id);
    if (!record) throw new Refusal("not_found", "There is no SMS of this id");
    const { id, status, attempts, error } = record;
    return { id, status, attempts, error, updatedAt: new Date(record.updatedAtMs).toISOString() };
  });
}
