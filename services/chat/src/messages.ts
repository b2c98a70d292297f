/** SendMessage, EditMessage, DeleteMessage and React: everything that adds to a room's log. */
import type { Actor, ChatAnswer, ChatSend } from "@parley/bus";
import { type Amend, Refusal } from "@parley/protocol";
import type { StoredEntry } from "@parley/store";
import type { Appended, Appender } from "./append.ts";
import type { ChatDeps } from "./chat.ts";
import { blankBody, type Draft, digestOf, messageFields } from "./entry.ts";
import { type Access, forbidden, need, type RoomState } from "./room-states.ts";

type Deps = Pick<ChatDeps, "store" | "rooms" | "now" | "said" | "askApplication"> & { appender: Appender<RoomState> };

const sent = (appended: Appended): ChatAnswer => ({ kind: "sent", ...appended });

function mayWrite(deps: Deps, state: RoomState, access: Access): void {
  if (state.record.closed) throw new Refusal("room_closed");
  if (access.mutedUntilMs > deps.now()) throw new Refusal("muted");
}

/** Hands a message to the room's lane; in the same turn where the room is warm, so that order holds without waiting. */
export function sendMessage(deps: Deps, request: ChatSend): Promise<ChatAnswer> {
  need(request.rights, "send", request.room);
  const asked = deps.askApplication?.("send", request.userId, request.room);
  return asked ? asked.then(() => sendPermitted(deps, request)) : sendPermitted(deps, request);
}

function sendPermitted(deps: Deps, request: ChatSend): Promise<ChatAnswer> {
  const state = deps.rooms.warm(request.room);
  return state
    ? sendTo(deps, state, request)
    : deps.rooms.loadOrMake(request.room).then((room) => sendTo(deps, room, request));
}

function sendTo(deps: Deps, state: RoomState, request: ChatSend): Promise<ChatAnswer> {
  const access = deps.rooms.access(state, request.userId, request.rights);
  if (access instanceof Promise) return access.then((known) => append(deps, state, known, request));
  return append(deps, state, access, request);
}

function append(deps: Deps, state: RoomState, access: Access, request: ChatSend): Promise<ChatAnswer> {
  mayWrite(deps, state, access);
  const { text, dataJson, replyTo } = request;
  if (replyTo !== null && state.head && replyTo > state.head.seq + state.waiting.length)
    throw new Refusal("bad_request", "replyTo must be the seq of an entry of this room");
  const draft: Draft = {
    kind: "message",
    sender: request.userId,
    senderJson: request.senderJson,
    clientMessageId: request.clientMessageId,
    digest: digestOf("message", text, dataJson, replyTo),
    target: null,
    fieldsJson: messageFields(text, dataJson, replyTo),
  };
  return deps.appender.append(state, draft).then((appended) => {
    // A repeat too: whoever stored it may have died before it could tell.
    deps.said.note(state, appended.seq, request.senderJson, text);
    return sent(appended);
  });
}

/** Whether what is said in passing, and stored nowhere, may be said: as a message may, but that no room is made for it. */
export async function maySpeak(deps: Deps, user: Actor, room: string): Promise<ChatAnswer> {
  need(user.rights, "send", room);
  await deps.askApplication?.("send", user.id, room);
  const state = await deps.rooms.load(room);
  if (!state) throw forbidden();
  mayWrite(deps, state, await deps.rooms.access(state, user.id, user.rights));
  return { kind: "json", json: "{}" };
}

const kindOf = { EditMessage: "edited", DeleteMessage: "deleted", React: "reacted" } as const;

/** An entry about an earlier message. */
export async function amendMessage(deps: Deps, user: Actor, amend: Amend): Promise<ChatAnswer> {
  need(user.rights, "send", amend.room);
  await deps.askApplication?.("send", user.id, amend.room);
  const state = await deps.rooms.load(amend.room);
  if (!state) throw forbidden();
  const turn = state.amending.then(() => amendIn(deps, state, user, amend));
  state.amending = turn.catch(() => {});
  return sent(await turn);
}

async function amendIn(deps: Deps, state: RoomState, user: Actor, amend: Amend): Promise<Appended> {
  const access = await deps.rooms.access(state, user.id, user.rights);
  mayWrite(deps, state, access);
  const kind = kindOf[amend.event];
  const digest = digestOf(kind, amend.target, amend.text, amend.emoji, amend.remove);
  const [earlier] = await deps.store.log.find(state.key, [{ sender: user.id, clientMessageId: amend.clientMessageId }]);
  // A repeat is answered as such even where the message it was about has been deleted since.
  if (earlier) {
    if (earlier.digest !== digest) throw new Refusal("conflict");
    return { seq: earlier.seq, atMs: earlier.atMs, duplicate: true };
  }
  const target = await deps.store.log.get(state.key, amend.target);
  if (target?.kind !== "message") throw new Refusal("not_found", "target must be the seq of a message of this room");
  if (target.deleted) throw new Refusal("not_found", "This message was deleted");
  const own = target.sender === user.id;
  if (kind === "edited" && !own) throw new Refusal("forbidden", "Only its sender may edit a message");
  if (kind === "deleted" && !own && access.role === "member")
    throw new Refusal("forbidden", "Only its sender, a moderator or the owner may delete a message");
  const redactions = kind === "deleted" ? await blanks(deps, state, target) : undefined;
  return deps.appender.append(state, {
    kind,
    sender: user.id,
    senderJson: JSON.stringify({ id: user.id, name: user.name }),
    clientMessageId: amend.clientMessageId,
    digest,
    target: amend.target,
    fieldsJson: amendFields(amend),
    ...(redactions ? { redactions } : {}),
  });
}

function amendFields(amend: Amend): string {
  const base = `"target":${amend.target},"text":${amend.text === null ? "null" : JSON.stringify(amend.text)},"data":null,"replyTo":null`;
  return amend.event === "React" ? `${base},"emoji":${JSON.stringify(amend.emoji)},"remove":${amend.remove}` : base;
}

/** What was said in a deleted message, or in an edit of it, is gone from the store, not only from sight. */
async function blanks(deps: Deps, state: RoomState, target: StoredEntry): Promise<{ seq: number; body: string }[]> {
  const edits = await deps.store.log.editsOf(state.key, target.seq);
  return [target, ...edits].map(({ seq, body }) => ({ seq, body: blankBody(body) }));
}
