/** One client connection: a WebSocket over a plain socket, cheap enough that a thousand of them fit one core. */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { createFrameParser, maskedFrame, opcodes } from "./frames.ts";

export interface Endpoint {
  host: string;
  port: number;
}

/** Called for each text frame; the bytes are only valid during the call. */
export type OnText = (bytes: Buffer, start: number, end: number) => void;

export interface Connection {
  write(frame: Buffer): void;
  /** Ends the connection without waiting for the peer. */
  close(): void;
  /** Who gets the text frames; replaced as the connection goes from registering to measuring. */
  onText: OnText;
  /** Called after the last frame of each chunk: the place to write what its frames gave rise to, at once. */
  onChunkEnd: () => void;
  /** Called once when the server ends the connection, with the reason. */
  onLost: (reason: string) => void;
}

const key = "cGFybGV5LWxvYWQtdGVzdA==";
const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
const headEnd = Buffer.from("\r\n\r\n");
const maxHeadBytes = 8192;

/** All connections read into one buffer: a read's bytes are dealt with before the next read begins. */
const chunk = Buffer.allocUnsafeSlow(256 * 1024);

/** Opens a WebSocket. Rejects with a sentence that says what the server answered. */
export function openConnection(
  endpoint: Endpoint,
  path: string,
  options: { localAddress?: string; timeoutMs: number },
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const where = `ws://${endpoint.host}:${endpoint.port}${path}`;
    let head: Buffer | null = Buffer.alloc(0);
    let ended = false;
    let closeReason = "the connection was cut";
    const connection: Connection = {
      write: (frame) => {
        if (!ended) socket.write(frame);
      },
      close() {
        ended = true;
        socket.destroy();
      },
      onText: () => {},
      onChunkEnd: () => {},
      onLost: () => {},
    };
    const parse = createFrameParser((opcode, bytes, start, end) => {
      if (opcode === opcodes.text) connection.onText(bytes, start, end);
      else if (opcode === opcodes.ping) connection.write(maskedFrame(opcodes.pong, bytes.subarray(start, end)).bytes);
      else if (opcode === opcodes.close) {
        const code = end - start >= 2 ? bytes.readUInt16BE(start) : 1005;
        closeReason = `closed with ${code} ${bytes.toString("utf8", start + 2, end)}`.trimEnd();
      }
    });
    const fail = (reason: string): void => {
      if (ended) return;
      connection.close();
      if (head === null) connection.onLost(reason);
      else reject(new Error(`${where}: ${reason}`));
    };
    const readHead = (bytes: Buffer, length: number): void => {
      const all: Buffer = Buffer.concat([head!, bytes.subarray(0, length)]);
      const end = all.indexOf(headEnd);
      if (end === -1) {
        head = all;
        if (all.length > maxHeadBytes) fail("the server's answer to the handshake has no end");
        return;
      }
      const text = all.toString("latin1", 0, end);
      const status = text.slice(0, text.indexOf("\r\n") === -1 ? undefined : text.indexOf("\r\n"));
      if (!status.startsWith("HTTP/1.1 101")) {
        const hint = status.includes(" 503") ? " (is the server running without --load-test limits, or draining?)" : "";
        fail(`the handshake was answered with "${status}"${hint}`);
        return;
      }
      if (!text.includes(accept)) {
        fail("the server's Sec-WebSocket-Accept is wrong");
        return;
      }
      head = null;
      socket.setTimeout(0);
      resolve(connection);
      // All that can come together with the answer is the greeting, which nobody waits for.
      if (all.length > end + 4) parse(all, end + 4, all.length);
    };
    const socket: Socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      localAddress: options.localAddress,
      noDelay: true,
      onread: {
        buffer: chunk,
        callback(length, bytes) {
          if (ended) return false;
          try {
            if (head !== null) readHead(bytes as Buffer, length);
            else {
              parse(bytes as Buffer, 0, length);
              connection.onChunkEnd();
            }
          } catch (error) {
            fail(error instanceof Error ? error.message : String(error));
          }
          return true;
        },
      },
    });
    socket.setTimeout(options.timeoutMs, () => fail(`no answer within ${options.timeoutMs} ms`));
    socket.on("error", (error) => fail(error.message || String((error as NodeJS.ErrnoException).code)));
    socket.on("close", () => fail(closeReason));
    socket.on("connect", () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${endpoint.host}:${endpoint.port}\r\nUpgrade: websocket\r\n` +
          `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      );
    });
  });
}
