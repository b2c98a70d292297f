/** `/ws`: the handshake, the frames in and out, slow and silent clients. */

import type { TemplatedApp, WebSocket, WebSocketBehavior } from "uWebSockets.js";
import { decode as decodeMsgpack, encode as encodeMsgpack } from "@msgpack/msgpack";
import {
  type CloseReason,
  closeCodes,
  type Decoded,
  decodeClientEvent,
  decodeClientValue,
  limits,
} from "@parley/protocol";
import { checkMsgpack } from "./check-msgpack.ts";
import type { HubRoom } from "./hub.ts";
import type { RoomListeners } from "./room-listeners.ts";
import { type Link, newSession, newSessionId, type Session, type SessionEvents } from "./session.ts";

interface Seat {
  /** `parley.v1.msgpack`: binary frames. */
  readonly binary: boolean;
  /** The session's id, also while there is none. */
  readonly id: string;
  readonly openedAtMs: number;
  /** From its first frame on: ten thousand connections that say nothing are no work for the garbage collector. */
  visit: { session: Session; link: SocketLink } | null;
}

type SocketLink = Link & { gone(): void; slow(): void };

export type Socket = WebSocket<Seat>;

/** Topics of uWebSockets' own publish: one for each encoding of a room. */
const jsonTopic = (room: HubRoom): string => room.topic;
const binaryTopic = (room: HubRoom): string => `${room.topic}.b`;

const toBinary = (frame: Uint8Array | string): Uint8Array =>
  encodeMsgpack(JSON.parse(typeof frame === "string" ? frame : Buffer.from(frame).toString("utf8")));

/** Sends a frame to all on this node who listen to the room by `/ws`: encoded anew, once, only where somebody reads MessagePack. */
export function publishToRoom(app: TemplatedApp, room: HubRoom, frame: Uint8Array): void {
  app.publish(jsonTopic(room), frame, false, false);
  if (app.numSubscribers(binaryTopic(room)) > 0) app.publish(binaryTopic(room), toBinary(frame), true, false);
}

const forceAfterMs = 5_000;
/** Silent connections closed in one turn: a quarter of a millisecond's worth, with others' messages in between. */
const endsPerTurn = 20;

/** What a turn has for its clients leaves together at the turn's end: one system call a client. */
function createOutbox() {
  let waiting: (() => void)[] = [];
  const flushAll = () => {
    const flushes = waiting;
    waiting = [];
    for (const flush of flushes) flush();
  };
  return (flush: () => void) => {
    if (waiting.push(flush) === 1) queueMicrotask(flushAll);
  };
}

export interface WebSocketOptions extends SessionEvents {
  app: TemplatedApp;
  /** Those who don't come by `/ws`. */
  listeners: RoomListeners;
  /** The text of the Hello frame for a session. */
  hello: (session: string) => string;
  eventsBurst: number;
  waitingBytes: number;
  registerWithinMs: number;
  /** A client was cut off for being slow. */
  dropped: () => void;
}

export interface WebSocketDoor {
  behavior: WebSocketBehavior<Seat>;
  /** How many have connected and said nothing yet. */
  silent(): number;
  /** Closes those who have been silent for too long. */
  sweep(nowMs: number): void;
  /** Closes all who are silent, for the node drains; resolves when that is done. */
  closeSilent(): Promise<void>;
}

/** The handshake's subprotocol: null when only unknown ones are offered. */
export function chooseSubprotocol(offered: string): "" | "parley.v1.json" | "parley.v1.msgpack" | null {
  if (offered === "") return "";
  for (const name of offered.split(",")) {
    const trimmed = name.trim();
    if (trimmed === "parley.v1.json" || trimmed === "parley.v1.msgpack") return trimmed;
  }
  return null;
}

export function createWebSocketDoor(options: WebSocketOptions): WebSocketDoor {
  const { app } = options;
  const atTurnsEnd = createOutbox();

  const createLink = (ws: Socket, binary: boolean): SocketLink => {
    let queue: string[] = [];
    let state: "open" | "closing" | "gone" = "open";
    const sendQueued = () => {
      for (const frame of queue) if (ws.send(binary ? toBinary(frame) : frame, binary, false) === 2) return;
    };
    const flush = () => {
      if (state === "open" && queue.length > 0) ws.cork(sendQueued);
      queue = [];
    };
    const close = (reason: CloseReason) => {
      flush();
      if (state !== "open") return;
      state = "closing";
      const { code, reason: text } = closeCodes[reason];
      ws.end(code, text);
      // A peer that does not read never answers a close.
      if (state === "closing") setTimeout(() => state !== "gone" && ws.close(), forceAfterMs).unref();
    };
    return {
      transport: "websocket",
      send(frame) {
        if (state !== "open") return;
        if (queue.push(frame) === 1) atTurnsEnd(flush);
      },
      flush,
      listen: (room) => state === "open" && ws.subscribe(binary ? binaryTopic(room) : jsonTopic(room)),
      unlisten: (room) => state === "open" && ws.unsubscribe(binary ? binaryTopic(room) : jsonTopic(room)),
      sendToOthers(room, frame) {
        options.listeners.publish(room, frame);
        if (state !== "open") return publishToRoom(app, room, frame);
        ws.publish(jsonTopic(room), frame, false, false);
        if (app.numSubscribers(binaryTopic(room)) > 0) ws.publish(binaryTopic(room), toBinary(frame), true, false);
      },
      close,
      slow() {
        if (state !== "open") return;
        options.dropped();
        // Not from within uWebSockets' walk over its subscribers.
        setImmediate(close, "tooSlow");
      },
      gone() {
        state = "gone";
        queue = [];
      },
    };
  };

  /** Oldest first. */
  const silent = new Set<Socket>();

  const begin = (ws: Socket, seat: Seat) => {
    silent.delete(ws);
    const link = createLink(ws, seat.binary);
    seat.visit = { link, session: newSession(seat.id, link, options.eventsBurst, seat.openedAtMs) };
    options.opened(seat.visit.session);
    return seat.visit;
  };

  const end = (ws: Socket, reason: CloseReason) => {
    silent.delete(ws);
    ws.end(closeCodes[reason].code, closeCodes[reason].reason);
  };

  /** Ends those who are silent and came before `beforeMs`, oldest first. */
  const endSilent = async (beforeMs: number, reason: CloseReason) => {
    let ended = 0;
    for (const ws of silent) {
      if (ws.getUserData().openedAtMs > beforeMs) return;
      end(ws, reason);
      if (++ended % endsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  let sweeping = false;

  const read = (message: ArrayBuffer, binary: boolean): Decoded => {
    if (!binary) return decodeClientEvent(Buffer.from(message).toString("utf8"));
    try {
      const bytes = new Uint8Array(message);
      checkMsgpack(bytes, limits.nesting);
      return decodeClientValue(decodeMsgpack(bytes));
    } catch {
      return {
        ok: false,
        requestId: null,
        event: null,
        code: "bad_frame",
        error: `A frame must be one MessagePack object, nested ${limits.nesting} deep at most`,
      };
    }
  };

  const behavior: WebSocketBehavior<Seat> = {
    maxPayloadLength: limits.frameBytes,
    maxBackpressure: options.waitingBytes,
    idleTimeout: limits.idleTimeoutMs / 1000,
    sendPingsAutomatically: true,
    compression: 0,
    open(ws) {
      const { binary, id } = ws.getUserData();
      silent.add(ws);
      const hello = options.hello(id);
      ws.send(binary ? toBinary(hello) : hello, binary, false);
    },
    message(ws, message, isBinary) {
      const seat = ws.getUserData();
      const { session, link } = seat.visit ?? begin(ws, seat);
      if (isBinary !== seat.binary) return link.close("wrongType");
      options.received(session, read(message, seat.binary));
    },
    dropped(ws) {
      ws.getUserData().visit?.link.slow();
    },
    close(ws) {
      silent.delete(ws);
      const { visit } = ws.getUserData();
      if (!visit) return;
      visit.link.gone();
      options.closed(visit.session);
    },
  };

  return {
    behavior,
    silent: () => silent.size,
    sweep(nowMs) {
      if (sweeping) return;
      sweeping = true;
      endSilent(nowMs - options.registerWithinMs, "notRegistered").finally(() => {
        sweeping = false;
      });
    },
    closeSilent: () => endSilent(Number.POSITIVE_INFINITY, "draining"),
  };
}

/** What a connection carries from its handshake on. */
export const createSeat = (binary: boolean): Seat => ({
  binary,
  id: newSessionId(),
  openedAtMs: performance.now(),
  visit: null,
});
