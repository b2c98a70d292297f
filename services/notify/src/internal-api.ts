/** The notify worker's internal API: what an application's backend does with notifications and SMS. */
import {
  checkName,
  checkNotificationKind,
  checkRoomName,
  checkText,
  checkUserId,
  notificationChannels,
  Refusal,
  readNotificationChannels,
  readPreferences,
  utf8Bytes,
} from "@parley/protocol";
import { type ApiAccess, createInternalApi, type InternalApi, type Telemetry, Type } from "@parley/service-kit";
import { checkKey, digestOf } from "./accept-sms.ts";
import type { Notify } from "./notify.ts";
import { oneLine } from "./one-line.ts";

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
const NewNotice = Type.Object(
  {
    user: Type.String(),
    kind: Type.String({ description: "a lower-case word, by which people choose channels" }),
    title: Type.String(),
    body: Type.Optional(Type.String()),
    data: Type.Optional(Type.Unknown()),
    channels: Type.Optional(
      Type.Array(Type.Union(notificationChannels.map((channel) => Type.Literal(channel))), {
        description: "in the app unless said otherwise; sms and webhook follow where it was not seen in the app",
      }),
    ),
    dedupeKey: Type.Optional(Type.String({ description: "the same key for the same user is the same notification" })),
    at: Type.Optional(Type.String({ description: "ISO 8601: not before" })),
    room: Type.Optional(Type.String({ description: "the room it is about, which people may have muted" })),
  },
  { additionalProperties: false },
);
const User = Type.Object({ user: Type.String({ minLength: 1, maxLength: 1_024 }) });
const ListQuery = Type.Object({
  next: Type.Optional(Type.String()),
  unreadOnly: Type.Boolean({ default: false }),
});
const Patch = Type.Object({}, { additionalProperties: true });
const Id = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });

export async function createNotifyApi(options: {
  notify: Notify;
  access: ApiAccess;
  telemetry: Telemetry;
}): Promise<InternalApi> {
  const { notify } = options;
  const api = await createInternalApi({
    title: "Parley notify",
    description: "Notifications and SMS: an answer of 202 means that it is recorded, and will be seen to.",
    access: options.access,
    ...options.telemetry,
    isReady: notify.isReady,
  });
  addSms(api, notify);
  addNotifications(api, notify);
  addPreferences(api, notify);
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

const titleChars = 200;
const keyChars = 255;
const dataBytes = 16 * 1024;
const yearMs = 366 * 24 * 60 * 60_000;

function readAt(at: string | undefined): number | null {
  if (at === undefined) return null;
  const atMs = Date.parse(at);
  if (Number.isNaN(atMs) || atMs > Date.now() + yearMs)
    throw new Refusal("bad_request", "at must be a time in ISO 8601, within a year");
  return atMs;
}

function readData(data: unknown): string | null {
  if (data === undefined) return null;
  const json = JSON.stringify(data);
  if (utf8Bytes(json) > dataBytes) throw new Refusal("too_large", `data is over ${dataBytes} bytes`);
  return json;
}

function addNotifications(api: InternalApi, { notifications, notices }: Notify): void {
  const tags = ["notifications"];
  api.post(
    "/v1/notifications",
    { schema: { tags, summary: "Notify a user; it is recorded when this answers", headers: Key, body: NewNotice } },
    async ({ body, headers }, reply) => {
      const idempotencyKey = checkKey(headers["idempotency-key"]);
      const key = body.dedupeKey ?? idempotencyKey;
      const title = oneLine(checkText(body.title, "title"), titleChars);
      if (title === "") throw new Refusal("bad_request", "title must not be empty");
      const accepted = await notifications.accept({
        user: checkUserId(body.user),
        kind: checkNotificationKind(body.kind),
        title,
        body: checkText(body.body ?? "", "body"),
        data: readData(body.data),
        channels: body.channels === undefined ? null : readNotificationChannels(body.channels, "channels"),
        dedupeKey: key === null ? null : `key:${checkName(key, "dedupeKey", keyChars)}`,
        // A dedupeKey is about what happened, however it is worded; an Idempotency-Key is about this very call.
        fingerprint:
          idempotencyKey === null || body.dedupeKey !== undefined
            ? null
            : digestOf(body.user, body.kind, title, body.body, body.data, body.channels, body.at, body.room),
        atMs: readAt(body.at),
        room: body.room === undefined ? null : checkRoomName(body.room),
        unlessRead: null,
      });
      void reply.status(202);
      // Whoever asked for it to be told need not know what the user prefers; yet it is no secret either.
      if (!accepted) return { id: null, status: "unwanted", duplicate: false };
      return { id: accepted.record.id, status: accepted.record.status, duplicate: !accepted.created };
    },
  );
  api.get(
    "/v1/notifications/:id",
    { schema: { tags, summary: "What became of one", params: Id } },
    async ({ params }) => {
      const record = await notices.notifications.find(params.id);
      if (!record) throw new Refusal("not_found", "There is no notification of this id");
      const { id, user, kind, status, count } = record;
      return { id, user, kind, status, count, read: record.readAtMs !== null };
    },
  );
  api.delete(
    "/v1/notifications/:id",
    { schema: { tags, summary: "Cancel one that was not told yet", params: Id } },
    async ({ params }, reply) => {
      if (!(await notices.notifications.find(params.id)))
        throw new Refusal("not_found", "There is no notification of this id");
      if (!(await notifications.cancel(params.id))) throw new Refusal("conflict", "It was told, or cancelled, before");
      return reply.status(204).send();
    },
  );
  api.get(
    "/v1/users/:user/notifications",
    { schema: { tags, summary: "A user's list, newest first", params: User, querystring: ListQuery } },
    ({ params, query }) => notifications.list(checkUserId(params.user), query.next ?? null, query.unreadOnly),
  );
}

function addPreferences(api: InternalApi, { notifications, prefer }: Notify): void {
  const tags = ["preferences"];
  const path = "/v1/users/:user/preferences";
  api.get(path, { schema: { tags, summary: "How a user wants to be told", params: User } }, ({ params }) =>
    notifications.preferencesOf(checkUserId(params.user)),
  );
  api.patch(
    path,
    { schema: { tags, summary: "Change some of it; also the phone number", params: User, body: Patch } },
    ({ params, body }) => prefer(checkUserId(params.user), readPreferences(body as Record<string, unknown>), true),
  );
}
