/** `/ws`: the handshake, the frames in and out, slow and silent clients. */

import type { TemplatedApp, WebSocket, WebSocketBehavior } from "uWebSockets.js";
import { randomBytes } from "node:crypto";
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
import { type Link, newSession, type Session, type SessionEvents } from "./session.ts";

interface Seat {
  /** `parley.v1.msgpack`: binary frames. */
  readonly binary: boolean;
  session: Session;
}

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
  /** A client was cut off for being slow. */
  dropped: () => void;
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

export function createWebSocketBehavior(options: WebSocketOptions): WebSocketBehavior<Seat> {
  const { app } = options;
  const atTurnsEnd = createOutbox();

  const createLink = (ws: Socket, binary: boolean): Link & { gone(): void; slow(): void } => {
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

  const links = new WeakMap<Session, ReturnType<typeof createLink>>();

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

  return {
    maxPayloadLength: limits.frameBytes,
    maxBackpressure: options.waitingBytes,
    idleTimeout: limits.idleTimeoutMs / 1000,
    sendPingsAutomatically: true,
    compression: 0,
    open(ws) {
      const seat = ws.getUserData();
      const link = createLink(ws, seat.binary);
      const session = newSession(randomBytes(12).toString("base64url"), link, options.eventsBurst);
      seat.session = session;
      links.set(session, link);
      link.send(options.hello(session.id));
      options.opened(session);
    },
    message(ws, message, isBinary) {
      const { session, binary } = ws.getUserData();
      if (isBinary !== binary) return session.link.close("wrongType");
      options.received(session, read(message, binary));
    },
    dropped(ws) {
      links.get(ws.getUserData().session)?.slow();
    },
    close(ws) {
      const { session } = ws.getUserData();
      links.get(session)?.gone();
      options.closed(session);
    },
  };
}

/** What a connection carries from its handshake on. */
export const createSeat = (binary: boolean): Seat => ({ binary, session: undefined as unknown as Session });
