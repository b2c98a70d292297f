/** The presence worker's internal API: who is here, users, and events for them. */
import { randomUUID } from "node:crypto";
import { type EmitRequest, subjects } from "@parley/bus";
import { checkName, checkRoomName, checkUserId, limits, Refusal } from "@parley/protocol";
import { type ApiAccess, createInternalApi, type InternalApi, type Telemetry, Type } from "@parley/service-kit";
import { newUser, type UserRecord } from "@parley/store";
import type { Presence } from "./presence.ts";

const Id = Type.String({ minLength: 1, maxLength: 1_024, description: "id of a user, 1 to 128 characters" });
const UserParams = Type.Object({ user: Id });
const orNull = (schema: ReturnType<typeof Type.String>) => Type.Union([schema, Type.Null()]);
const userFields = {
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024, description: "shown to others" })),
  info: Type.Optional(
    Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()], { description: "shown to others" }),
  ),
  avatarColor: Type.Optional(orNull(Type.String({ pattern: "^#[0-9a-fA-F]{6}$", description: "as in #7c3aed" }))),
  phone: Type.Optional(orNull(Type.String({ pattern: "^\\+[1-9][0-9]{6,14}$", description: "E.164: +491701234567" }))),
  email: Type.Optional(orNull(Type.String({ pattern: "^[^@\\s]+@[^@\\s]+$", maxLength: 254 }))),
};
const NewUser = Type.Object({ id: Type.Optional(Id), ...userFields }, { additionalProperties: false });
const UserPatch = Type.Object(
  {
    ...userFields,
    guest: Type.Optional(
      Type.Boolean({ description: "false makes a user of a guest, who keeps id, rooms and read marks" }),
    ),
  },
  { additionalProperties: false },
);
const Sender = Type.Object({ id: Type.String(), name: Type.String() }, { description: "left out: the system" });
const emission = {
  event: Type.String({ description: "none of the protocol's own names" }),
  data: Type.Optional(Type.Unknown()),
  sender: Type.Optional(Sender),
};
const EmitBody = Type.Object(
  {
    ...emission,
    to: Type.Union([
      Type.Object({ user: Id }, { additionalProperties: false }),
      Type.Object({ room: Type.String() }, { additionalProperties: false }),
      Type.Object({ all: Type.Literal(true) }, { additionalProperties: false }),
    ]),
  },
  { additionalProperties: false },
);
const EmitUserBody = Type.Object(
  { ...emission, users: Type.Array(Type.String(), { minItems: 1, description: "ids, 1,000 at most" }) },
  { additionalProperties: false },
);
const ActiveQuery = Type.Object({
  room: Type.Optional(Type.String()),
  next: Type.Optional(Type.String()),
  limit: Type.Integer({ minimum: 1, maximum: limits.usersPerPage, default: 50 }),
});

const userView = ({ info, createdAtMs, lastSeenAtMs, ...rest }: UserRecord) => ({
  ...rest,
  info: info === null ? null : (JSON.parse(info) as unknown),
  createdAt: new Date(createdAtMs).toISOString(),
  lastSeenAt: new Date(lastSeenAtMs).toISOString(),
});

const noSuchUser = (user: string) => new Refusal("not_found", `There is no user ${JSON.stringify(user)}`);

/** What a body says of a user, as the store keeps it. */
function changesOf({ name, info, ...rest }: { name?: string; info?: Record<string, unknown> | null; guest?: boolean }) {
  const infoJson = info == null ? info : JSON.stringify(info);
  if (infoJson && Buffer.byteLength(infoJson) > limits.infoBytes)
    throw new Refusal("too_large", `info is over ${limits.infoBytes} bytes`);
  return {
    ...rest,
    ...(name === undefined ? {} : { name: checkName(name, "name", limits.userNameChars) }),
    ...(infoJson === undefined ? {} : { info: infoJson }),
  };
}

export async function createPresenceApi(options: {
  presence: Presence;
  access: ApiAccess;
  telemetry: Telemetry;
}): Promise<InternalApi> {
  const { presence } = options;
  const api = await createInternalApi({
    title: "Parley presence",
    description: "Who is here, users, and events for chosen ones.",
    access: options.access,
    ...options.telemetry,
    isReady: presence.isReady,
  });
  addPresence(api, presence);
  addUsers(api, presence);
  addEmit(api, presence);
  return api;
}

function addPresence(api: InternalApi, { activeUsers, directory, bus }: Presence): void {
  const tags = ["presence"];
  api.get(
    "/v1/active-users",
    { schema: { tags, summary: "Who is online, away or busy; in a room when one is named", querystring: ActiveQuery } },
    async ({ query }) =>
      activeUsers.page(query.room === undefined ? null : checkRoomName(query.room), query.next ?? null, query.limit),
  );
  api.get(
    "/v1/users/:user/sessions",
    { schema: { tags, summary: "A user's sessions, on all gateways", params: UserParams } },
    async ({ params }) => ({ sessions: await directory.sessionsOf(checkUserId(params.user)) }),
  );
  api.post(
    "/v1/users/:user/disconnect",
    {
      schema: {
        tags,
        summary: "Close all sessions of a user (4503); a client does not come back by itself, but may register again",
        params: UserParams,
      },
    },
    async ({ params }, reply) => {
      const user = checkUserId(params.user);
      const sessions = (await directory.sessionsOf(user)).length;
      bus.publish(subjects.gateways(), JSON.stringify({ order: "disconnect", user }));
      void reply.status(202);
      return { sessions };
    },
  );
}

function addUsers(api: InternalApi, { store: { users } }: Presence): void {
  const tags = ["users"];
  api.post("/v1/users", { schema: { tags, summary: "Make a user", body: NewUser } }, async ({ body }, reply) => {
    const { id = randomUUID(), ...fields } = body;
    if (id.startsWith("guest-")) throw new Refusal("bad_request", "id must not begin with guest-: these are guests'");
    const changes = changesOf(fields);
    const base = newUser({ id: checkUserId(id, "id"), name: changes.name ?? id, guest: false }, Date.now());
    const { user, created } = await users.create({ ...base, ...changes, guest: false });
    if (!created) throw new Refusal("conflict", `There is a user ${JSON.stringify(id)} already`);
    void reply.status(201);
    return userView(user);
  });
  api.get("/v1/users/:user", { schema: { tags, summary: "One user", params: UserParams } }, async ({ params }) => {
    const [user] = await users.find([checkUserId(params.user)]);
    if (!user) throw noSuchUser(params.user);
    return userView(user);
  });
  api.patch(
    "/v1/users/:user",
    { schema: { tags, summary: "Change a user", params: UserParams, body: UserPatch } },
    async ({ params, body }) => {
      const user = await users.change(checkUserId(params.user), changesOf(body));
      if (!user) throw noSuchUser(params.user);
      return userView(user);
    },
  );
}

function addEmit(api: InternalApi, { emitter }: Presence): void {
  const tags = ["emit"];
  api.post(
    "/v1/emit",
    { schema: { tags, summary: "Send an event to a user (a guest too), a room, or everyone", body: EmitBody } },
    async ({ body: { to, event, data, sender } }) => {
      const target: EmitRequest["to"] = "user" in to ? { users: [to.user] } : to;
      return emitter.emit({ to: target, event, data, sender: sender ?? null });
    },
  );
  api.post(
    "/v1/emit-user",
    {
      schema: {
        tags,
        summary: "Send an event to chosen users: how many sessions it reached, who is unknown, who is offline",
        body: EmitUserBody,
      },
    },
    async ({ body: { users, event, data, sender } }) =>
      emitter.emit({ to: { users }, event, data, sender: sender ?? null }),
  );
}
