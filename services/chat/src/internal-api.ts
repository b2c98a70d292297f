/** The chat worker's internal API: what an application's backend does with rooms. */
import { randomUUID } from "node:crypto";
import { epochOf } from "@parley/bus";
import {
  checkClientMessageId,
  checkName,
  checkRoomName,
  checkText,
  checkUserId,
  limits,
  Refusal,
} from "@parley/protocol";
import {
  type ApiAccess,
  ApiError,
  createInternalApi,
  type InternalApi,
  type Telemetry,
  Type,
} from "@parley/service-kit";
import type { MemberRecord, RoomRecord } from "@parley/store";
import type { Chat, ChatDeps } from "./chat.ts";
import { digestOf, messageFields } from "./entry.ts";
import { addPeople } from "./people-api.ts";
import { historyOf } from "./reading.ts";
import type { RoomState } from "./room-states.ts";

const RoomName = Type.String({ minLength: 1, maxLength: 1_024, description: "name of a room, 1 to 128 characters" });
const RoomParams = Type.Object({ room: RoomName });
const MemberParams = Type.Object({ room: RoomName, user: Type.String({ minLength: 1, maxLength: 1_024 }) });
const Settings = {
  title: Type.Optional(Type.Union([Type.String({ maxLength: 512 }), Type.Null()])),
  closed: Type.Optional(Type.Boolean({ description: "nothing may be sent while true" })),
  receipts: Type.Optional(Type.Boolean({ description: "members are told of each other's read marks" })),
  retentionMs: Type.Optional(
    Type.Union([Type.Integer({ minimum: 1_000 }), Type.Null()], { description: "forget entries older than this" }),
  ),
  retentionEntries: Type.Optional(
    Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], { description: "keep this many entries" }),
  ),
};
const RoleName = Type.Union([Type.Literal("owner"), Type.Literal("moderator"), Type.Literal("member")]);
const VisibilityName = Type.Union([Type.Literal("public"), Type.Literal("private"), Type.Literal("direct")]);
const NewRoom = Type.Object(
  {
    name: RoomName,
    visibility: VisibilityName,
    ...Settings,
    members: Type.Optional(
      Type.Array(Type.Object({ user: Type.String(), role: Type.Optional(RoleName) }), { maxItems: 1_000 }),
    ),
  },
  { additionalProperties: false },
);
const RoomPatch = Type.Object(Settings, { additionalProperties: false });
const MemberPatch = Type.Object(
  {
    role: Type.Optional(RoleName),
    mutedForMs: Type.Optional(Type.Integer({ minimum: 0, description: "from now; 0 ends it" })),
    banned: Type.Optional(Type.Boolean({ description: "a banned user is put out and may not come back" })),
  },
  { additionalProperties: false },
);
const Message = Type.Object(
  {
    text: Type.Optional(Type.String()),
    data: Type.Optional(Type.Unknown()),
    replyTo: Type.Optional(Type.Integer({ minimum: 1 })),
    sender: Type.Optional(
      Type.Object({ id: Type.String(), name: Type.String() }, { description: "left out: the system speaks" }),
    ),
    clientMessageId: Type.Optional(Type.String({ description: "makes the call safe to repeat" })),
  },
  { additionalProperties: false },
);
const Paging = Type.Object({
  after: Type.Optional(Type.String()),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
});
const HistoryQuery = Type.Object({
  before: Type.Optional(Type.Integer({ minimum: 0 })),
  after: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
});

const roomView = (room: RoomRecord) => {
  const { key, createdAtMs, ...rest } = room;
  return { ...rest, epoch: epochOf(key), createdAt: new Date(createdAtMs).toISOString() };
};
const memberView = (member: MemberRecord, nowMs: number) => ({
  user: member.user,
  role: member.role,
  banned: member.banned,
  mutedUntil: member.mutedUntilMs > nowMs ? new Date(member.mutedUntilMs).toISOString() : null,
  joinedAt: new Date(member.joinedAtMs).toISOString(),
  lastRead: member.lastRead,
});

async function present(deps: ChatDeps, name: string): Promise<RoomState> {
  const state = await deps.rooms.load(checkRoomName(name));
  if (!state) throw new ApiError(404, "not_found", `There is no room ${JSON.stringify(name)}`);
  return state;
}

export async function createChatApi(options: {
  chat: Chat;
  access: ApiAccess;
  telemetry: Telemetry;
}): Promise<InternalApi> {
  const { deps } = options.chat;
  const api = await createInternalApi({
    title: "Parley chat",
    description: "Rooms, their members and their messages.",
    access: options.access,
    ...options.telemetry,
    isReady: options.chat.isReady,
  });
  addRooms(api, deps);
  addMembers(api, deps);
  addMessages(api, deps);
  addPeople(api, options.chat);
  return api;
}

function addRooms(api: InternalApi, deps: ChatDeps): void {
  const tags = ["rooms"];
  api.get("/v1/rooms", { schema: { tags, summary: "Rooms by name", querystring: Paging } }, async ({ query }) => {
    const rooms = await deps.store.rooms.list({ after: query.after ?? null, limit: query.limit });
    const next = rooms.length === query.limit ? rooms[rooms.length - 1]?.name : null;
    return { rooms: rooms.map(roomView), next: next ?? null };
  });
  api.post("/v1/rooms", { schema: { tags, summary: "Make a room", body: NewRoom } }, async ({ body }, reply) => {
    const { name, members = [], ...settings } = body;
    if (settings.visibility === "direct" && members.length !== 2)
      throw new Refusal("bad_request", "a direct room has exactly two members");
    const users = members.map(({ user, role }) => ({ user: checkUserId(user), role: role ?? ("member" as const) }));
    const { state, created } = await deps.rooms.make(checkRoomName(name, "name"), settings);
    if (!created) throw new Refusal("conflict", "A room of this name is there already");
    for (const { user, role } of users) await setMember(deps, state, user, { member: true, role });
    void reply.status(201);
    return roomView(state.record);
  });
  api.get("/v1/rooms/:room", { schema: { tags, summary: "One room", params: RoomParams } }, async ({ params }) => {
    const state = await present(deps, params.room);
    const [head] = await deps.store.log.heads([state.key]);
    return { ...roomView(state.record), head: head?.seq ?? 0, start: head?.start ?? 1, members: state.memberCount };
  });
  api.patch(
    "/v1/rooms/:room",
    { schema: { tags, summary: "Change a room", params: RoomParams, body: RoomPatch } },
    async ({ params, body }) => {
      const state = await present(deps, params.room);
      const changed = await deps.store.rooms.change(state.name, body);
      tellChanged(deps, state);
      if (!changed) throw new Refusal("not_found");
      return roomView(changed);
    },
  );
  api.delete(
    "/v1/rooms/:room",
    {
      schema: {
        tags,
        summary: "Delete a room with its log; a later one of that name has another epoch",
        params: RoomParams,
      },
    },
    async ({ params }, reply) => {
      const state = await present(deps, params.room);
      await deps.store.rooms.delete(state.name);
      tellChanged(deps, state);
      deps.deliver.reset(state);
      return reply.status(204).send();
    },
  );
}

function tellChanged(deps: ChatDeps, state: RoomState): void {
  deps.rooms.changed(state.name);
  deps.deliver.roomChanged(state.name);
}

async function setMember(
  deps: ChatDeps,
  state: RoomState,
  user: string,
  changes: Partial<Pick<MemberRecord, "role" | "member" | "mutedUntilMs" | "banned">>,
): Promise<MemberRecord> {
  const { member, wasMember } = await deps.store.rooms.putMember(state.key, user, changes, deps.now());
  tellChanged(deps, state);
  if (member.member !== wasMember)
    deps.deliver.order({ order: "membership", user, room: state.name, member: member.member });
  return member;
}

function addMembers(api: InternalApi, deps: ChatDeps): void {
  const tags = ["members"];
  api.get(
    "/v1/rooms/:room/members",
    { schema: { tags, summary: "Members by user id", params: RoomParams, querystring: Paging } },
    async ({ params, query }) => {
      const state = await present(deps, params.room);
      const members = await deps.store.rooms.members(state.key, { after: query.after ?? null, limit: query.limit });
      const next = members.length === query.limit ? members[members.length - 1]?.user : null;
      return { members: members.map((member) => memberView(member, deps.now())), next: next ?? null };
    },
  );
  api.put(
    "/v1/rooms/:room/members/:user",
    {
      schema: { tags, summary: "Make a member, or change role, mute or ban", params: MemberParams, body: MemberPatch },
    },
    async ({ params, body }) => {
      const state = await present(deps, params.room);
      const user = checkUserId(params.user);
      const { role, banned, mutedForMs } = body;
      const member = await setMember(deps, state, user, {
        ...(role === undefined ? {} : { role }),
        ...(banned === undefined ? {} : { banned }),
        ...(mutedForMs === undefined ? {} : { mutedUntilMs: mutedForMs === 0 ? 0 : deps.now() + mutedForMs }),
        member: banned !== true,
      });
      if (banned) deps.deliver.removed(state, user);
      return memberView(member, deps.now());
    },
  );
  api.delete(
    "/v1/rooms/:room/members/:user",
    { schema: { tags, summary: "End a membership", params: MemberParams } },
    async ({ params }, reply) => {
      const state = await present(deps, params.room);
      const user = checkUserId(params.user);
      if (!(await deps.store.rooms.removeMember(state.key, user)))
        throw new Refusal("not_found", "This user is not a member of the room");
      tellChanged(deps, state);
      deps.deliver.order({ order: "membership", user, room: state.name, member: false });
      deps.deliver.removed(state, user);
      return reply.status(204).send();
    },
  );
}

function addMessages(api: InternalApi, deps: ChatDeps): void {
  const tags = ["messages"];
  api.get(
    "/v1/rooms/:room/messages",
    {
      schema: {
        tags,
        summary: "A page of the room's log; the newest unless told otherwise",
        params: RoomParams,
        querystring: HistoryQuery,
      },
    },
    async ({ params, query }, reply) => {
      const { before, after, limit } = query;
      if (before !== undefined && after !== undefined)
        throw new Refusal("bad_request", "give before or after, not both");
      const state = await present(deps, params.room);
      const page = { before: before ?? null, after: after ?? null, limit };
      // JSON as it is stored: not parsed to be written again.
      return reply.type("application/json; charset=utf-8").send(await historyOf(deps, state, page));
    },
  );
  api.post(
    "/v1/rooms/:room/messages",
    {
      schema: { tags, summary: "Say something as the system or as a named sender", params: RoomParams, body: Message },
    },
    async ({ params, body }, reply) => {
      const state = await present(deps, params.room);
      const text = body.text === undefined ? null : checkText(body.text);
      if (!text && body.data === undefined) throw new Refusal("bad_request", "text or data is needed");
      const kind = body.sender ? "message" : "system";
      const sender = body.sender
        ? {
            id: checkUserId(body.sender.id, "sender.id"),
            name: checkName(body.sender.name, "sender.name", limits.userNameChars),
          }
        : { id: "system", name: "System" };
      const dataJson = JSON.stringify(body.data ?? null);
      const replyTo = body.replyTo ?? null;
      const appended = await deps.appender.append(state, {
        kind,
        sender: sender.id,
        senderJson: JSON.stringify(sender),
        clientMessageId: checkClientMessageId(body.clientMessageId ?? randomUUID()),
        digest: digestOf(kind, text, dataJson, replyTo),
        target: null,
        fieldsJson: messageFields(text, dataJson, replyTo),
      });
      if (kind === "message") deps.said.note(state, appended.seq, JSON.stringify(sender), text);
      void reply.status(appended.duplicate ? 200 : 201);
      return {
        room: state.name,
        seq: appended.seq,
        at: new Date(appended.atMs).toISOString(),
        duplicate: appended.duplicate,
      };
    },
  );
}
