/** The way to one Socket.IO client: replies become acknowledgements, server events its events. */
import type { WebSocket } from "uWebSockets.js";
import { type CloseReason, closeCodes, mayReconnect, type Reply } from "@parley/protocol";
import type { Socket } from "socket.io";
import type { Listener, RoomListeners } from "./room-listeners.ts";
import type { Link } from "./session.ts";
import { eventPacket, heardOf, reservedEvents } from "./socket-io-frames.ts";

/** Gets a reply: the frame less `eventType`, `event` and `requestId`. */
export type Answer = (reply: Omit<Reply, "eventType" | "event" | "requestId">) => void;

export interface SocketIoLink extends Link {
  /** A number for a client event, whose reply goes to `answer`. */
  expect(answer: Answer): number;
  /** The client's side of the handshake is over: what waits can leave. */
  open(): void;
  /** The connection is gone. */
  gone(): void;
}

export interface SocketIoLinkOptions {
  socket: Socket;
  waitingBytes: number;
  listeners: RoomListeners;
  publish(room: Parameters<Link["listen"]>[0], frame: Uint8Array, except: Listener): void;
  /** The client was cut off for being slow. */
  dropped: () => void;
  closed: () => void;
}

/** How long a client has to read why it was refused. */
const refusedCloseMs = 2_000;

/** Frames that wait for a client between two polls. */
const maxWaiting = 1_000;

/** Who listens to a room gets the same text one after another: encoded once. */
let lastFrame = "";
let lastPacket = "";
function packetOf(frame: string): string {
  if (frame === lastFrame) return lastPacket;
  const heard = heardOf(frame);
  lastFrame = frame;
  lastPacket = reservedEvents.has(heard.event) ? "" : eventPacket(heard);
  return lastPacket;
}

/** The socket beneath, while the transport is a WebSocket. Engine.IO has no way to ask how much waits in it. */
const webSocketOf = (socket: Socket): WebSocket<unknown> | null => {
  const { transport } = socket.conn as unknown as { transport: { name: string; socket?: WebSocket<unknown> } };
  return transport.name === "websocket" ? (transport.socket ?? null) : null;
};

export function createSocketIoLink(options: SocketIoLinkOptions): SocketIoLink {
  const { socket, listeners } = options;
  const answers = new Map<number, Answer>();
  let queue: string[] = [];
  let state: "connecting" | "open" | "closing" | "gone" = "connecting";
  let lastRequest = 0;
  let waitingFrames = 0;
  let waitingChars = 0;
  let scheduled = false;
  let slow = false;
  socket.conn.on("drain", () => {
    waitingFrames = 0;
    waitingChars = 0;
  });

  const send: Listener = (frame) => {
    if (state === "closing" || state === "gone") return;
    // The reply that lets the client in comes while it is still outside.
    if (frame.startsWith('{"eventType":"Reply"')) return answer(frame);
    queue.push(frame);
    schedule();
  };

  const answer = (frame: string) => {
    const { eventType: _type, event: _event, requestId, ...reply } = JSON.parse(frame) as Reply;
    const to = answers.get(requestId as number);
    answers.delete(requestId as number);
    // What came before it leaves before it.
    if (state === "open") flush();
    to?.(reply);
  };

  const schedule = () => {
    if (scheduled || state !== "open") return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      flush();
    });
  };

  const flush = () => {
    if (state !== "open" || queue.length === 0) return;
    const ws = webSocketOf(socket);
    if (ws) ws.cork(writeQueued);
    else writeQueued();
    const waiting = ws ? ws.getBufferedAmount() : waitingChars;
    if (slow || (waiting <= options.waitingBytes && waitingFrames <= maxWaiting)) return;
    slow = true;
    options.dropped();
    // Not from within a walk over the room's listeners.
    setImmediate(close, "tooSlow");
  };

  const writeQueued = () => {
    const frames = queue;
    queue = [];
    for (const frame of frames) {
      const packet = packetOf(frame);
      if (packet === "") continue;
      waitingFrames++;
      waitingChars += packet.length;
      // Engine.IO's "4" is a message; with the text ready it encodes nothing.
      const ready = { compress: false, wsPreEncoded: `4${packet}` };
      socket.conn.write(packet, ready as Parameters<typeof socket.conn.write>[1]);
    }
  };

  const close = (reason: CloseReason) => {
    if (state === "closing" || state === "gone") return;
    const { code, reason: text } = closeCodes[reason];
    if (reason === "tooSlow") {
      // Engine.IO would wait for the peer to take what waits.
      webSocketOf(socket)?.close();
      socket.conn.close(true);
    } else if (state === "connecting") {
      // Socket.IO still has to tell why.
      setTimeout(() => socket.conn.close(), refusedCloseMs).unref();
    } else {
      flush();
      socket.emit("Closed", { data: { code, reason: text } });
      // A client that its server disconnects stays away; one whose transport ends comes back.
      if (!mayReconnect(code)) socket.disconnect();
      socket.conn.close();
    }
    state = "closing";
    options.closed();
  };

  return {
    transport: "socket.io",
    send,
    flush,
    listen: (room) => {
      if (state !== "gone" && state !== "closing") listeners.add(room, send);
    },
    unlisten: (room) => listeners.remove(room, send),
    sendToOthers: (room, frame) => options.publish(room, frame, send),
    close,
    expect(to) {
      answers.set(++lastRequest, to);
      return lastRequest;
    },
    open() {
      if (state !== "connecting") return;
      state = "open";
      flush();
    },
    gone() {
      state = "gone";
      queue = [];
      answers.clear();
    },
  };
}
