/** `/socket.io/`: Socket.IO v4 clients, by WebSocket and HTTP long polling, on the port of everything else. */
import type { TemplatedApp } from "uWebSockets.js";
import { decodeClientValue, type Fields, isObject, limits } from "@parley/protocol";
import { Server, type Socket } from "socket.io";
import type { RefuseConnection } from "./handshakes.ts";
import { corsHeaders, type Origins } from "./origins.ts";
import type { RoomListeners } from "./room-listeners.ts";
import { newSession, newSessionId, type Session, type SessionEvents } from "./session.ts";
import { createSocketIoDoor } from "./socket-io-door.ts";
import { type Answer, createSocketIoLink, type SocketIoLink, type SocketIoLinkOptions } from "./socket-io-link.ts";

export interface SocketIoOptions
  extends SessionEvents,
    Pick<SocketIoLinkOptions, "waitingBytes" | "publish" | "dropped"> {
  app: TemplatedApp;
  listeners: RoomListeners;
  origins: Origins;
  hello: (session: string) => string;
  eventsBurst: number;
  /** Whose timer `start` and `stop` speak to before any room was joined; "" for none. */
  lobby: string;
  refusal: RefuseConnection;
  onError: (error: unknown, what: string) => void;
}

/** Together they are the time in which a silent peer is let go. */
const pingIntervalMs = limits.idleTimeoutMs / 2;
const pingTimeoutMs = limits.idleTimeoutMs / 2;
/** Timer events that wait for a room to be joined. */
const maxHeld = 20;

/** What Socket.IO puts around a frame. */
const envelopeBytes = 1024;

export function createSocketIo(options: SocketIoOptions): { close(): void } {
  const { app, origins, refusal, onError, lobby } = options;
  const io = new Server({
    path: "/socket.io/",
    transports: ["polling", "websocket"],
    maxHttpBufferSize: limits.frameBytes + envelopeBytes,
    httpCompression: false,
    pingInterval: pingIntervalMs,
    pingTimeout: pingTimeoutMs,
    connectTimeout: limits.registerWithinMs,
  });
  // What waits in a WebSocket is watched here: uWebSockets' own limit drops frames silently.
  io.attachApp(createSocketIoDoor({ app, origins, refusal, onError }), { maxBackpressure: 0 } as object);
  io.engine.on("headers", (headers: Fields, { headers: asked }: { headers: { origin?: string } }) => {
    for (const [name, value] of corsHeaders(asked.origin ?? "")) headers[name] = value;
  });

  /** Registers before the client is told that it is connected, with what it gave as `auth`. */
  io.use((socket, next) => {
    const link: SocketIoLink = createSocketIoLink({
      socket,
      listeners: options.listeners,
      waitingBytes: options.waitingBytes,
      publish: options.publish,
      dropped: options.dropped,
      closed: () => end(),
    });
    const session = newSession(newSessionId(), link, options.eventsBurst);
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      link.gone();
      options.closed(session);
    };
    socket.conn.once("close", end);
    socket.once("disconnect", end);
    // Engine.IO's own sign of life: its clients know of no other.
    socket.conn.on("heartbeat", () => ask(session, link, "Heartbeat", null, () => {}));
    options.opened(session);
    link.send(options.hello(session.id));

    const auth: Fields = isObject(socket.handshake.auth) ? socket.handshake.auth : {};
    const who = auth.token === undefined ? { ...auth, guest: true } : auth;
    ask(session, link, "Register", who, (reply) => {
      if (reply.success) {
        const resumed = Object.keys(isObject(auth.rooms) ? auth.rooms : {});
        return serve(socket, session, link, resumed, () => {
          next();
          // Socket.IO has told the client by now.
          setImmediate(() => {
            link.open();
            socket.emit("Register", reply);
          });
        });
      }
      const { error, code, retryable } = reply;
      // A client that is refused here stays away; one whose transport ends tries again.
      if (retryable) return socket.conn.close();
      next(Object.assign(new Error(error ?? "refused"), { data: { code, error } }));
      link.close("unauthorized");
    });
  });

  const ask = (session: Session, link: SocketIoLink, event: string, requestData: unknown, answer: Answer) => {
    const requestId = link.expect(answer);
    const frame =
      requestData === undefined || requestData === null ? { event, requestId } : { event, requestId, requestData };
    const decoded = decodeClientValue(frame);
    options.received(session, decoded.ok ? decoded : { ...decoded, requestId });
  };

  /** Calls `ready` when the client may begin. */
  const serve = (
    socket: Socket,
    session: Session,
    link: SocketIoLink,
    resumed: readonly string[],
    ready: () => void,
  ) => {
    let lastJoined = resumed.at(-1) ?? null;
    /** In the lobby by our doing, not the client's: until it joins a room of its own choice. */
    let inLobby = lobby !== "" && resumed.length === 0;
    let joining = 0;
    /** Timer events that wait for joins: which room they are for is known after them. */
    let held: (() => void)[] = [];

    const timerRoom = (): string =>
      lastJoined !== null && session.rooms.has(lastJoined) ? lastJoined : ([...session.rooms.keys()].at(-1) ?? lobby);

    const noteJoined = (reply: Parameters<Answer>[0]) => {
      joining--;
      if (reply.success) {
        const { room } = reply.data as { room: string };
        lastJoined = room;
        if (inLobby && room !== lobby) ask(session, link, "LeaveRoom", { room: lobby, forget: true }, () => {});
        inLobby = false;
      }
      if (joining > 0) return;
      const again = held;
      held = [];
      // The session is in the room right behind this reply.
      queueMicrotask(() => {
        for (const each of again) each();
      });
    };

    const timerEvent = (event: "start" | "stop", given: unknown, acknowledge: Answer | null) => {
      const fields = isObject(given) ? given : given === undefined || given === null ? {} : { duration: given };
      const room = typeof fields.room === "string" ? fields.room : timerRoom();
      ask(session, link, event === "start" ? "StartTimer" : "StopTimer", { ...fields, room }, (reply) => {
        if (!reply.success) socket.emit("timer", { ...reply, room });
        acknowledge?.(reply);
      });
    };

    socket.onAny((event: string, ...given: unknown[]) => {
      const last = given.at(-1);
      const acknowledge = typeof last === "function" ? (last as Answer) : null;
      if (acknowledge) given.pop();
      if (event === "start" || event === "stop") {
        const carryOut = () => timerEvent(event, given[0], acknowledge);
        if (joining === 0) carryOut();
        else if (held.length < maxHeld) held.push(carryOut);
        return;
      }
      if (event === "JoinRoom") joining++;
      // Without an acknowledgement the reply is an event of the same name.
      const answer: Answer = acknowledge ?? ((reply) => socket.emit(event, reply));
      ask(session, link, event, given[0], (reply) => {
        answer(reply);
        if (event === "JoinRoom") noteJoined(reply);
      });
    });

    // Timers are for members: in the lobby first, so that whoever starts one at once may.
    if (inLobby) ask(session, link, "JoinRoom", { room: lobby }, ready);
    else ready();
  };

  return { close: () => void io.close() };
}
