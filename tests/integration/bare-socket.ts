import { type ClientOptions, WebSocket } from "ws";
import { waitFor } from "../support/wait-for.ts";

/** One frame as it came: text as a string, binary as bytes. */
export type BareFrame = string | Buffer;

/** A WebSocket that knows nothing of the protocol, as a test page or a tutorial's script has it. */
export interface BareSocket {
  socket: WebSocket;
  /** Every frame so far, oldest first. */
  frames: readonly BareFrame[];
  /** The frames that are JSON, parsed. */
  json(): Record<string, unknown>[];
  send(frame: BareFrame): void;
  /** The first JSON frame that the condition is true of, already here or still to come. */
  waitForJson(what: string, condition: (frame: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Resolves when `count` frames are here. */
  waitForFrames(count: number): Promise<readonly BareFrame[]>;
  closed: Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
}

/** Connects and resolves once open; rejects with `HTTP 400` or alike when the handshake is refused. */
export async function openBareSocket(
  url: string,
  subprotocols: string[] = [],
  options: ClientOptions = {},
): Promise<BareSocket> {
  const socket = new WebSocket(url, subprotocols, options);
  const frames: BareFrame[] = [];
  socket.on("message", (data: Buffer, isBinary) => frames.push(isBinary ? data : data.toString("utf8")));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("unexpected-response", (request, response) => {
      request.destroy();
      reject(new Error(`HTTP ${response.statusCode}`));
    });
    socket.once("error", reject);
  });
  // Later errors end in a close, which is what tests look at.
  socket.on("error", () => {});

  const json = () => frames.flatMap((frame) => (typeof frame === "string" ? [JSON.parse(frame)] : []));
  return {
    socket,
    frames,
    json,
    send: (frame) => socket.send(frame),
    waitForJson: (what, condition) => waitFor(what, () => json().find(condition)),
    waitForFrames: (count) => waitFor(`${count} frames`, () => frames.length >= count && frames),
    closed,
    async close() {
      socket.close(1000);
      await closed;
    },
  };
}
