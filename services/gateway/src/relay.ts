/** What becomes of a client event: refused at the door, done here, or asked of a chat worker. Each gets one reply. */
import {
  type Actor,
  type ChatAnswer,
  type ChatAsk,
  type ChatRequest,
  type JsonAnswer,
  type NotifyRequest,
  newTicketRoom,
  partitionOf,
  type Requester,
  type TimerRequest,
  Unanswered,
} from "@parley/bus";
import {
  type Amend,
  type ClientEvent,
  type Decoded,
  type ErrorCode,
  errors,
  limits,
  type NotificationEvent,
  Refusal,
  type Resume,
  type SendMessage,
  type TicketEvent,
  type TimerEvent,
  Unavailable,
} from "@parley/protocol";
import { createArrive } from "./arrive.ts";
import type { Authenticate } from "./authenticate.ts";
import { type RequestId, refusalFrame, replyFrame } from "./frames.ts";
import type { Hub } from "./hub.ts";
import { createJoin } from "./join.ts";
import type { People } from "./people.ts";
import type { Presence } from "./presence.ts";
import { strike, takeToken } from "./rate-limit.ts";
import { createRefreshToken } from "./refresh-token.ts";
import { createRegister } from "./register.ts";
import type { Session } from "./session.ts";
import type { Typing } from "./typing.ts";
import type { UserLimits } from "./user-limits.ts";

export interface RelayOptions {
  chat: Requester<ChatRequest, ChatAnswer>;
  timer: Requester<TimerRequest, JsonAnswer>;
  notify: Requester<NotifyRequest, JsonAnswer>;
  hub: Hub;
  people: People;
  typing: Typing;
  presence: Presence;
  authenticate: Authenticate;
  userLimits: UserLimits;
  eventsPerSecond: number;
  eventsBurst: number;
  /** A session has a credential, or another one. */
  onIdentified: (session: Session) => void;
  onError: (error: unknown, what: string) => void;
}

export interface RelayCounts {
  /** Client events taken, by name. */
  events: Map<string, number>;
  /** Replies that were no success, by code. */
  refusals: Map<ErrorCode, number>;
}

export interface Relay {
  counts: RelayCounts;
  /** Takes one decoded frame. Never throws. */
  take(session: Session, decoded: Decoded): void;
  /** The connection is gone: undo what the session was part of. */
  forget(session: Session): void;
}

const maxHeld = 200;

const isoOf = (() => {
  let lastMs = -1;
  let last = "";
  // Replies of one batch share their time.
  return (atMs: number): string => {
    if (atMs !== lastMs) {
      lastMs = atMs;
      last = new Date(atMs).toISOString();
    }
    return last;
  };
})();

const countOne = <Name>(counts: Map<Name, number>, name: Name) => counts.set(name, (counts.get(name) ?? 0) + 1);

function timerRequest(user: Actor, event: TimerEvent, ask: string): TimerRequest {
  const { room } = event;
  switch (event.event) {
    case "StartTimer":
      return { kind: "start", room, user, ask, durationMs: event.durationMs };
    case "ResetTimer":
      return { kind: "reset", room, user, ask, durationMs: event.durationMs };
    case "StopTimer":
      return { kind: "stop", room, user, ask };
    case "GetTimer":
      return { kind: "get", room, user };
    case "SetTimer": {
      const { durationMs, cycle, control, notify } = event;
      return { kind: "set", room, user, ask, durationMs, cycle, control, notify };
    }
  }
}

function notifyRequest(session: Session, { id: user }: Actor, event: NotificationEvent): NotifyRequest {
  switch (event.event) {
    case "Notifications":
      return { kind: "list", user, next: event.next, unreadOnly: event.unreadOnly };
    case "ReadNotification":
      return { kind: "read", user, session: session.id, id: event.id };
    case "GetPreferences":
      return { kind: "preferences", user };
    case "SetPreferences":
      return { kind: "prefer", user, changes: event.changes };
  }
}

type TicketRequest = Extract<ChatAsk, { kind: "openTicket" | "tickets" | `${string}Ticket` }>;

function ticketRequest(user: Actor, event: TicketEvent): TicketRequest {
  switch (event.event) {
    case "OpenTicket":
      return { kind: "openTicket", user, room: newTicketRoom(), subject: event.subject, text: event.text };
    case "Tickets":
      return { kind: "tickets", user, status: event.status, next: event.next };
    case "ClaimTicket":
      return { kind: "claimTicket", user, room: event.room };
    case "HandOverTicket":
      return { kind: "handOverTicket", user, room: event.room, agent: event.agent };
    case "CloseTicket":
      return { kind: "closeTicket", user, room: event.room, rating: event.rating, comment: event.comment };
  }
}

export function createRelay(options: RelayOptions): Relay {
  const { chat, timer, notify, hub, people, typing, presence } = options;
  const join = createJoin(chat, hub);
  let nextAsk = 1;
  const counts: RelayCounts = { events: new Map(), refusals: new Map() };

  const answered = (session: Session, frame: string) => {
    session.link.send(frame);
    if (--session.unanswered === 0) session.onAnswered?.();
  };

  const refuse = (
    session: Session,
    event: string | null,
    id: RequestId,
    code: ErrorCode,
    error: string,
    afterMs?: number,
  ) => {
    countOne(counts.refusals, code);
    answered(session, refusalFrame(event, id, code, error, afterMs));
  };

  const fail = (session: Session, event: string, id: RequestId, error: unknown) => {
    if (error instanceof Refusal) return refuse(session, event, id, error.code, error.message);
    if (error instanceof Unavailable) return refuse(session, event, id, "unavailable", error.told);
    options.onError(error, `${event} failed`);
    refuse(session, event, id, "internal", "Something went wrong on our side; send it again");
  };

  /** Asks a worker of any service; a refusal, or no answer, is answered here. */
  const ask = <Request>(
    requester: Requester<Request, ChatAnswer>,
    session: Session,
    event: string,
    id: RequestId,
    partition: number,
    request: Request,
    done: (answer: Exclude<ChatAnswer, { kind: "refused" }>) => void,
  ) =>
    requester.ask(partition, request, (answer) => {
      if (answer instanceof Unanswered)
        refuse(session, event, id, "unavailable", "No worker answered in time; send it again");
      else if (answer.kind === "refused") refuse(session, event, id, answer.code, answer.error);
      else done(answer);
    });

  /** A question to the worker that has `key` (a room, or a user), whose answer is the reply's data. */
  const pass = <Request>(
    requester: Requester<Request, ChatAnswer>,
    session: Session,
    event: string,
    id: RequestId,
    key: string,
    request: Request,
  ) =>
    ask(requester, session, event, id, partitionOf(key), request, (answer) => {
      if (answer.kind === "json") answered(session, replyFrame(event, id, answer.json));
    });

  /** Something for a room's log: the reply says which entry it became. */
  const append = (
    session: Session,
    id: RequestId,
    { event, room, clientMessageId, after }: SendMessage | Amend,
    request: ChatRequest,
    roomJson = JSON.stringify(room),
  ) => {
    const refuseThis = (code: ErrorCode, error: string) => {
      if (errors[code].retryable) session.inOrder.refused(clientMessageId);
      refuse(session, event, id, code, error);
    };
    chat.ask(
      partitionOf(room),
      request,
      (answer) => {
        if (answer instanceof Unanswered) refuseThis("unavailable", "No worker answered in time; send it again");
        else if (answer.kind === "refused") refuseThis(answer.code, answer.error);
        else if (answer.kind === "sent") answered(session, sentFrame(event, id, roomJson, answer));
      },
      () => session.inOrder.mayGo(clientMessageId, after),
    );
  };

  const sentFrame = (
    event: string,
    id: RequestId,
    roomJson: string,
    { seq, atMs, duplicate }: { seq: number; atMs: number; duplicate: boolean },
  ) => replyFrame(event, id, `{"room":${roomJson},"seq":${seq},"at":"${isoOf(atMs)}","duplicate":${duplicate}}`);

  const send = (session: Session, id: RequestId, event: SendMessage) => {
    const user = session.user as NonNullable<Session["user"]>;
    const { room } = event;
    const listening = session.rooms.get(room);
    if (listening) typing.end(session, listening);
    const request: ChatRequest = {
      kind: "send",
      room,
      userId: user.id,
      rights: user.rights,
      senderJson: session.senderJson,
      clientMessageId: event.clientMessageId,
      text: event.text,
      dataJson: event.dataJson,
      replyTo: event.replyTo,
    };
    append(session, id, event, request, listening?.nameJson);
  };

  const joinRoom = (session: Session, id: RequestId, resume: Resume) => {
    const { rooms, joining } = session;
    const isIn = rooms.has(resume.room) || joining.has(resume.room);
    if (!isIn && rooms.size + joining.size >= limits.roomsPerSession)
      return refuse(
        session,
        "JoinRoom",
        id,
        "too_large",
        `A session may be in ${limits.roomsPerSession} rooms at most`,
      );
    // A return to where one was is no news to the room.
    const quiet = resume.since !== null || session.rooms.has(resume.room);
    join(
      session,
      resume,
      quiet,
      (answer, room) => {
        // The reply first: what is live begins after it.
        answered(session, replyFrame("JoinRoom", id, answer.json));
        hub.enter(room, session, answer.key, answer.head);
      },
      (code, error) => refuse(session, "JoinRoom", id, code, error),
    );
  };

  const leaveRoom = (session: Session, id: RequestId, room: string, forget: boolean) => {
    const user = session.user as NonNullable<Session["user"]>;
    const listening = session.rooms.get(room);
    if (listening) {
      typing.end(session, listening);
      hub.leave(listening, session);
    }
    pass(chat, session, "LeaveRoom", id, room, {
      kind: "leave",
      user,
      room,
      forget,
      listening: listening !== undefined,
    });
  };

  const setTyping = (session: Session, id: RequestId, name: string, value: boolean) => {
    const room = session.rooms.get(name);
    if (!room) return refuse(session, "Typing", id, "forbidden", "Join the room first");
    typing.set(session, room, value);
    answered(session, replyFrame("Typing", id, "{}"));
  };

  /** Answers with what `work` gives, or why it does not. */
  const reply = (session: Session, event: string, id: RequestId, work: Promise<unknown>) =>
    void work.then(
      (data) => answered(session, replyFrame(event, id, JSON.stringify(data ?? {}))),
      (error) => fail(session, event, id, error),
    );

  const arrive = createArrive(chat);
  const register = createRegister({ ...options, arrive, join, answered, fail });
  const refreshToken = createRefreshToken({
    ...{ ...options, arrive, answered, fail },
    leave: (session, room) => {
      typing.end(session, room);
      hub.leave(room, session);
    },
  });

  const unregister = (session: Session, id: RequestId) => {
    session.stage = "leaving";
    leaveAll(session, true);
    const end = () => {
      session.link.send(replyFrame("Unregister", id, "{}"));
      session.link.close("unregistered");
    };
    // The other replies first: this one closes the connection.
    session.unanswered--;
    if (session.unanswered === 0) end();
    else session.onAnswered = end;
  };

  const leaveAll = (session: Session, atOnce = false) => {
    typing.end(session);
    presence.report.ended(session, atOnce);
    for (const room of [...session.rooms.values()]) hub.leave(room, session);
    people.remove(session);
  };

  const dispatch = (session: Session, id: RequestId, event: ClientEvent) => {
    if (event.event === "Heartbeat") {
      session.lastHeartbeatMs = performance.now();
      presence.awake(session);
      return answered(session, replyFrame("Heartbeat", id, `{"at":"${new Date().toISOString()}"}`));
    }
    if (event.event === "Register") {
      if (session.stage === "open") return void register(session, id, event);
      return refuse(session, "Register", id, "already_registered", "This connection is registered already");
    }
    const { user } = session;
    if (session.stage !== "registered" || !user)
      return refuse(session, event.event, id, "not_registered", "Send Register first");
    switch (event.event) {
      case "SendMessage":
        return send(session, id, event);
      case "JoinRoom":
        return joinRoom(session, id, event);
      case "LeaveRoom":
        return leaveRoom(session, id, event.room, event.forget);
      case "EditMessage":
      case "DeleteMessage":
      case "React":
        return append(session, id, event, { kind: "amend", user, ...event });
      case "History":
        return pass(chat, session, "History", id, event.room, { kind: "history", user, ...event });
      case "MarkRead":
        return pass(chat, session, "MarkRead", id, event.room, {
          kind: "markRead",
          user,
          session: session.id,
          ...event,
        });
      case "Rooms":
        return pass(chat, session, "Rooms", id, user.id, { kind: "rooms", user, next: event.next });
      case "StartTimer":
      case "StopTimer":
      case "ResetTimer":
      case "SetTimer":
      case "GetTimer":
        return pass(
          timer,
          session,
          event.event,
          id,
          event.room,
          timerRequest(user, event, `${session.id}:${nextAsk++}`),
        );
      case "Notifications":
      case "ReadNotification":
      case "GetPreferences":
      case "SetPreferences":
        return pass(notify, session, event.event, id, user.id, notifyRequest(session, user, event));
      case "OpenTicket":
      case "Tickets":
      case "ClaimTicket":
      case "HandOverTicket":
      case "CloseTicket": {
        const request = ticketRequest(user, event);
        return pass(chat, session, event.event, id, "room" in request ? request.room : user.id, request);
      }
      case "Typing":
        return setTyping(session, id, event.room, event.typing);
      case "Emit":
        return reply(session, "Emit", id, presence.emit(session, event));
      case "ActiveUsers":
        return reply(session, "ActiveUsers", id, presence.activeUsers(session, event));
      case "SetStatus":
        return reply(session, "SetStatus", id, presence.setStatus(session, event));
      case "RefreshToken":
        return void refreshToken(session, id, event.token);
      case "Unregister":
        return unregister(session, id);
    }
  };

  return {
    counts,
    take(session, decoded) {
      if (session.stage === "leaving" || session.stage === "closed") return;
      session.unanswered++;
      const nowMs = performance.now();
      const event = decoded.ok ? decoded.value.event : decoded.event;
      let afterMs = takeToken(session.bucket, options.eventsPerSecond, options.eventsBurst, nowMs);
      if (afterMs === 0 && session.user) afterMs = options.userLimits.take(session.user.id, nowMs);
      if (afterMs > 0) {
        const error = `Too many events; wait ${afterMs} ms`;
        if (decoded.ok && "clientMessageId" in decoded.value) session.inOrder.refused(decoded.value.clientMessageId);
        refuse(session, event, decoded.requestId, "rate_limited", error, afterMs);
        if (strike(session.limited, limits.rateLimitedWindowMs, nowMs) >= limits.rateLimitedBeforeClose)
          session.link.close("tooMany");
        return;
      }
      if (!decoded.ok) {
        refuse(session, decoded.event, decoded.requestId, decoded.code, decoded.error);
        if (strike(session.badFrames, limits.badFramesWindowMs, nowMs) > limits.badFramesBeforeClose)
          session.link.close("badFrames");
        return;
      }
      const { value, requestId } = decoded;
      countOne(counts.events, value.event);
      if (session.stage === "registering" && value.event !== "Heartbeat" && value.event !== "Register") {
        // A client need not wait for its registration: what it sends right behind it is done after it.
        session.held ??= [];
        if (session.held.length >= maxHeld)
          return refuse(session, value.event, requestId, "rate_limited", "Wait for the reply to Register", 1_000);
        session.held.push(() => dispatch(session, requestId, value));
        return;
      }
      dispatch(session, requestId, value);
    },
    forget(session) {
      const { stage } = session;
      session.stage = "closed";
      session.held = null;
      if (stage !== "leaving") leaveAll(session);
    },
  };
}
