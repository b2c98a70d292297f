/** What a client may ask, as a tagged union that everything behind the gateway's door can trust. */
import { carriedJson } from "./carried.ts";
import { Refusal } from "./errors.ts";
import { type Fields, isObject, optional } from "./fields.ts";
import { limits } from "./limits.ts";
import {
  checkBoolean,
  checkClientMessageId,
  checkName,
  checkRoomName,
  checkSeq,
  checkText,
  checkUserId,
  utf8Bytes,
} from "./names.ts";
import { type NotificationEvent, notificationDecoders } from "./notifications.ts";
import { type Status, serverEventNames, statuses } from "./server-events.ts";
import { type TicketEvent, ticketDecoders } from "./tickets.ts";
import { type TimerEvent, timerDecoders } from "./timer.ts";

export interface Resume {
  room: string;
  since: number | null;
  epoch: string | null;
}

/** Whose presence a session wants to hear of. */
export type PresenceScope = "all" | "rooms" | "none";

export type ClientEvent =
  | {
      event: "Register";
      token: string | null;
      guest: boolean;
      name: string | null;
      /** JSON text of an object, or null. */
      infoJson: string | null;
      /** `info:true`: the reply's user is as others see them, `info` and all. */
      withInfo: boolean;
      rooms: Resume[];
      presence: PresenceScope;
    }
  | { event: "Unregister" }
  | { event: "Heartbeat" }
  | { event: "RefreshToken"; token: string }
  | ({ event: "JoinRoom" } & Resume)
  | { event: "LeaveRoom"; room: string; forget: boolean }
  | SendMessage
  | Amend
  | { event: "History"; room: string; before: number | null; after: number | null; limit: number }
  | { event: "MarkRead"; room: string; seq: number }
  | { event: "Rooms"; next: string | null }
  | { event: "Typing"; room: string; typing: boolean }
  | Emit
  | { event: "ActiveUsers"; room: string | null; next: string | null; limit: number }
  | { event: "SetStatus"; status: Status; text: string }
  | TimerEvent
  | NotificationEvent
  | TicketEvent;

export interface SendMessage {
  event: "SendMessage";
  room: string;
  clientMessageId: string;
  /** The message without which this one must not be stored yet. */
  after: string | null;
  text: string | null;
  /** JSON text of any value; "null" when absent. */
  dataJson: string;
  replyTo: number | null;
}

/** What changes an earlier message: an entry of its own. */
export interface Amend {
  event: "EditMessage" | "DeleteMessage" | "React";
  room: string;
  clientMessageId: string;
  after: string | null;
  target: number;
  text: string | null;
  emoji: string | null;
  remove: boolean;
}

/** An event of the application's own. */
export interface Emit {
  event: "Emit";
  to: { room: string } | { users: string[] } | { all: true };
  name: string;
  /** JSON text of any value. */
  dataJson: string;
}

export type ClientEventName = ClientEvent["event"];

function readResume(room: unknown, fields: Fields): Resume {
  return {
    room: checkRoomName(room),
    since: optional(fields.since, (value) => checkSeq(value, "since")),
    epoch: optional(fields.epoch, (value) => checkName(value, "epoch", 64)),
  };
}

function readRegister(fields: Fields): ClientEvent {
  const token = optional(fields.token, (value) => {
    if (typeof value !== "string" || value.length < 1 || value.length > limits.tokenChars)
      throw new Refusal("bad_request", `token must be a string of 1 to ${limits.tokenChars} characters`);
    return value;
  });
  const guest = optional(fields.guest, (value) => checkBoolean(value, "guest")) ?? false;
  if (token !== null && guest) throw new Refusal("bad_request", "give either token or guest:true, not both");
  const infoJson = optional(typeof fields.info === "boolean" ? null : fields.info, (value) => {
    if (!isObject(value)) throw new Refusal("bad_request", "info must be an object, or true");
    const json = carriedJson(value, "info");
    if (utf8Bytes(json) > limits.infoBytes) throw new Refusal("too_large", `info is over ${limits.infoBytes} bytes`);
    return json;
  });
  const rooms: Resume[] = [];
  if (fields.rooms !== undefined && fields.rooms !== null) {
    if (!isObject(fields.rooms)) throw new Refusal("bad_request", "rooms must be an object: room → {since, epoch}");
    for (const [room, resume] of Object.entries(fields.rooms)) {
      if (!isObject(resume)) throw new Refusal("bad_request", "each of rooms must be an object {since, epoch}");
      rooms.push(readResume(room, resume));
    }
    if (rooms.length > limits.roomsPerSession)
      throw new Refusal("too_large", `rooms may name ${limits.roomsPerSession} rooms at most`);
  }
  const presence = fields.presence ?? "all";
  if (presence !== "all" && presence !== "rooms" && presence !== "none")
    throw new Refusal("bad_request", 'presence must be "all", "rooms" or "none"');
  const name = optional(fields.name, (value) => checkName(value, "name", limits.userNameChars));
  const withInfo = fields.info === true;
  return { event: "Register", token, guest, name, infoJson, withInfo, rooms, presence };
}

function readSend(fields: Fields): SendMessage {
  const text = optional(fields.text, checkText);
  const hasData = fields.data !== undefined && fields.data !== null;
  if ((text === null || text === "") && !hasData) throw new Refusal("bad_request", "text or data is needed");
  return {
    event: "SendMessage",
    room: checkRoomName(fields.room),
    clientMessageId: checkClientMessageId(fields.clientMessageId),
    after: optional(fields.after, (value) => checkClientMessageId(value, "after")),
    text,
    dataJson: hasData ? carriedJson(fields.data, "data") : "null",
    replyTo: optional(fields.replyTo, (value) => checkSeq(value, "replyTo", 1)),
  };
}

function readAmend(event: Amend["event"], fields: Fields): Amend {
  const amend: Amend = {
    event,
    room: checkRoomName(fields.room),
    clientMessageId: checkClientMessageId(fields.clientMessageId),
    after: optional(fields.after, (value) => checkClientMessageId(value, "after")),
    target: checkSeq(fields.target, "target", 1),
    text: null,
    emoji: null,
    remove: false,
  };
  if (event === "EditMessage") {
    amend.text = checkText(fields.text);
    if (amend.text === "") throw new Refusal("bad_request", "text must not be empty; use DeleteMessage");
  }
  if (event === "React") {
    amend.emoji = checkName(fields.emoji, "emoji", limits.emojiChars);
    amend.remove = optional(fields.remove, (value) => checkBoolean(value, "remove")) ?? false;
  }
  return amend;
}

function readHistory(fields: Fields): ClientEvent {
  const before = optional(fields.before, (value) => checkSeq(value, "before"));
  const after = optional(fields.after, (value) => checkSeq(value, "after"));
  if (before !== null && after !== null) throw new Refusal("bad_request", "give before or after, not both");
  const limit = optional(fields.limit, (value) => checkSeq(value, "limit", 1)) ?? 50;
  const room = checkRoomName(fields.room);
  return { event: "History", room, before, after, limit: Math.min(limit, limits.entriesPerAnswer) };
}

/** Names that Socket.IO's clients take for their own. */
const socketIoNames = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/** Name of an event of the application's own: none that the protocol, or Socket.IO, uses. */
export function checkEventName(value: unknown): string {
  const name = checkName(value, "event", limits.eventNameChars);
  const taken = decoderOf.has(name) || (serverEventNames as readonly string[]).includes(name) || name === "Reply";
  if (taken || socketIoNames.includes(name))
    throw new Refusal("bad_request", `event must not be ${name}: the protocol uses this name`);
  return name;
}

function readEmit(fields: Fields): Emit {
  const given = [fields.room, fields.users, fields.all].filter((value) => value !== undefined && value !== null);
  if (given.length !== 1) throw new Refusal("bad_request", "give one of room, users or all:true");
  const name = checkEventName(fields.event);
  const dataJson = fields.data === undefined ? "null" : carriedJson(fields.data, "data");
  const { users, all } = fields;
  if (users !== undefined && users !== null) {
    if (!Array.isArray(users) || users.length === 0)
      throw new Refusal("bad_request", "users must be a list of ids of users, one at least");
    if (users.length > limits.emitUsers)
      throw new Refusal("too_large", `users may name ${limits.emitUsers} at most, these are ${users.length}`);
    const ids = new Set(users.map((id, i) => checkUserId(id, `users[${i}]`)));
    return { event: "Emit", to: { users: [...ids] }, name, dataJson };
  }
  if (all !== undefined && all !== null) {
    if (all !== true) throw new Refusal("bad_request", "all must be true, or left out");
    return { event: "Emit", to: { all }, name, dataJson };
  }
  return { event: "Emit", to: { room: checkRoomName(fields.room) }, name, dataJson };
}

function readActiveUsers(fields: Fields): ClientEvent {
  const limit = optional(fields.limit, (value) => checkSeq(value, "limit", 1)) ?? 50;
  return {
    event: "ActiveUsers",
    room: optional(fields.room, checkRoomName),
    next: optional(fields.next, (value) => checkName(value, "next", limits.tokenChars)),
    limit: Math.min(limit, limits.usersPerPage),
  };
}

function readSetStatus(fields: Fields): ClientEvent {
  const status = statuses.find((each) => each === fields.status);
  if (!status) throw new Refusal("bad_request", `status must be one of ${statuses.join(", ")}`);
  const { text } = fields;
  const has = text !== undefined && text !== null && text !== "";
  return { event: "SetStatus", status, text: has ? checkName(text, "text", limits.statusTextChars) : "" };
}

const decoders: { [name in ClientEventName]: (fields: Fields) => ClientEvent } = {
  Register: readRegister,
  Unregister: () => ({ event: "Unregister" }),
  Heartbeat: () => ({ event: "Heartbeat" }),
  RefreshToken: (fields) => ({ event: "RefreshToken", token: checkName(fields.token, "token", limits.tokenChars) }),
  JoinRoom: (fields) => ({ event: "JoinRoom", ...readResume(fields.room, fields) }),
  LeaveRoom: (fields) => ({
    event: "LeaveRoom",
    room: checkRoomName(fields.room),
    forget: optional(fields.forget, (value) => checkBoolean(value, "forget")) ?? false,
  }),
  SendMessage: readSend,
  EditMessage: (fields) => readAmend("EditMessage", fields),
  DeleteMessage: (fields) => readAmend("DeleteMessage", fields),
  React: (fields) => readAmend("React", fields),
  History: readHistory,
  MarkRead: (fields) => ({ event: "MarkRead", room: checkRoomName(fields.room), seq: checkSeq(fields.seq, "seq") }),
  Rooms: (fields) => ({ event: "Rooms", next: optional(fields.next, (value) => checkRoomName(value, "next")) }),
  Typing: (fields) => ({
    event: "Typing",
    room: checkRoomName(fields.room),
    typing: checkBoolean(fields.typing, "typing"),
  }),
  Emit: readEmit,
  ActiveUsers: readActiveUsers,
  SetStatus: readSetStatus,
  ...timerDecoders,
  ...notificationDecoders,
  ...ticketDecoders,
};

export const clientEventNames = Object.keys(decoders) as ClientEventName[];
/** How each event's `requestData` is read; it throws Refusal. */
export const decoderOf: ReadonlyMap<string, (fields: Fields) => ClientEvent> = new Map(Object.entries(decoders));
