/** What becomes of a client event: refused at the door, done here, or asked of a chat worker. Each gets one reply. */
import type { ChatRequest } from "@parley/bus";
import {
  type ClientEvent,
  type Decoded,
  type ErrorCode,
  limits,
  type Resume,
  type SendMessage,
} from "@parley/protocol";
import { createAppend } from "./append.ts";
import { createArrive } from "./arrive.ts";
import type { Authenticate } from "./authenticate.ts";
import { type RequestId, replyFrame } from "./frames.ts";
import type { Hub, HubRoom } from "./hub.ts";
import { createJoin } from "./join.ts";
import type { People } from "./people.ts";
import type { Presence } from "./presence.ts";
import { strike, takeToken } from "./rate-limit.ts";
import { createRefreshToken } from "./refresh-token.ts";
import { createRegister } from "./register.ts";
import { createReplies } from "./replies.ts";
import type { Requesters } from "./requesters.ts";
import type { Session } from "./session.ts";
import { createMaySpeak } from "./speak.ts";
import type { Typing } from "./typing.ts";
import type { UserLimits } from "./user-limits.ts";
import { notifyRequest, ticketRequest, timerRequest } from "./worker-requests.ts";

export interface RelayOptions {
  requesters: Requesters;
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
  /** To be called at an even beat, some twenty times a second. */
  sweep(nowMs: number): void;
}

const maxHeld = 200;

export function createRelay(options: RelayOptions): Relay {
  const { hub, people, typing, presence } = options;
  const { chat, timer, notify } = options.requesters;
  const replies = createReplies(options.onError);
  const { answered, refuse, refuseAsked, fail, reply, pass } = replies;
  const append = createAppend(chat, replies);
  const join = createJoin(chat, hub);
  const maySpeak = createMaySpeak(chat);
  const events: RelayCounts["events"] = new Map();
  let nextAsk = 1;

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
    const askedAtMs = performance.now();
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
      (code, error) => refuseAsked(askedAtMs, session, "JoinRoom", id, code, error),
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

  /** Does something in a room that the session listens to, once the room's worker lets it. */
  const speak = (session: Session, event: string, id: RequestId, name: string, say: (room: HubRoom) => void) => {
    const room = session.rooms.get(name);
    if (!room) return refuse(session, event, id, "forbidden", "Join the room first");
    maySpeak(session, name, (against) => {
      if (against) return fail(session, event, id, against);
      // It may have left while the worker was asked.
      if (session.rooms.get(name) !== room) return refuse(session, event, id, "forbidden", "Join the room first");
      say(room);
    });
  };

  const setTyping = (session: Session, id: RequestId, name: string, value: boolean) =>
    speak(session, "Typing", id, name, (room) => {
      typing.set(session, room, value);
      answered(session, replyFrame("Typing", id, "{}"));
    });

  const arrive = createArrive(chat);
  const register = createRegister({ ...options, arrive, join, replies });
  const refreshToken = createRefreshToken({
    ...{ ...options, arrive, replies },
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
        return pass(notify, session, event.event, id, user.id, notifyRequest(user, session.id, event));
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
      case "Emit": {
        const say = () => reply(session, "Emit", id, presence.emit(session, event));
        return "room" in event.to ? speak(session, "Emit", id, event.to.room, say) : say();
      }
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
    counts: { events, refusals: replies.refusals },
    sweep: replies.sweep,
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
      events.set(value.event, (events.get(value.event) ?? 0) + 1);
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
