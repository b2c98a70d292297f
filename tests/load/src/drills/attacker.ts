// A process that attacks a gateway in three ways at once until it is killed, and says by IPC how far it got.
import { connect, type Socket } from "node:net";

export interface AttackOrder {
  port: number;
  /** Connections that open and never register, kept up at this number. */
  silent: number;
  /** Handshakes that send a byte a second. */
  dribbling: number;
  /** New connections a second, all from one address. */
  floodPerSecond: number;
}

export interface AttackCounts {
  silentOpen: number;
  dribblingOpen: number;
  flooded: number;
  refused: number;
}

const handshake =
  "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const counts: AttackCounts = { silentOpen: 0, dribblingOpen: 0, flooded: 0, refused: 0 };
/** Below the node's 1,000 a second, so that members can still come. */
const silentPerSecond = 900;
const tickMs = 5;
/** How long a connection of the flood stays, if it is not refused before. */
const floodStaysMs = 20;
const silentAddresses = 200;

/** Each attacker from addresses of its own: all of 127.0.0.0/8 is this machine. */
function open(port: number, localAddress: string, onOpen: (socket: Socket) => void, onEnd: () => void): void {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.once("connect", () => onOpen(socket));
  socket.on("data", (chunk) => {
    if (chunk.toString("latin1", 0, 12) !== "HTTP/1.1 503") return;
    counts.refused++;
    socket.resetAndDestroy();
  });
  socket.on("error", () => {});
  socket.once("close", onEnd);
}

/** Calls `step` so often a second; what one tick did not get done, the next one does not catch up with in a heap. */
function repeat(perSecond: number, step: () => void): void {
  let owed = 0;
  let lastMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    owed = Math.min(perSecond / 20, owed + ((nowMs - lastMs) * perSecond) / 1_000);
    lastMs = nowMs;
    for (; owed >= 1; owed--) step();
  }, tickMs);
}

function attack({ port, silent, dribbling, floodPerSecond }: AttackOrder): void {
  let nextAddress = 0;
  const addMissing = () => {
    if (counts.silentOpen >= silent) return;
    counts.silentOpen++;
    nextAddress = (nextAddress + 1) % silentAddresses;
    open(
      port,
      `127.1.0.${nextAddress + 1}`,
      (socket) => {
        socket.write(handshake);
      },
      () => counts.silentOpen--,
    );
  };
  const dribble = (which: number) => {
    counts.dribblingOpen++;
    let timer: NodeJS.Timeout | undefined;
    open(
      port,
      `127.2.0.${(which % 250) + 1}`,
      (socket) => {
        let at = 0;
        timer = setInterval(() => socket.write(handshake[at++ % (handshake.length - 3)] as string), 1_000);
      },
      () => {
        clearInterval(timer);
        counts.dribblingOpen--;
        setTimeout(dribble, 100, which);
      },
    );
  };
  const flood = () =>
    open(
      port,
      "127.3.0.1",
      (socket) => {
        counts.flooded++;
        socket.write(handshake);
        // Reset, not closed: an address whose 28,000 ports all wait to be forgotten makes the kernel look long for a free one.
        setTimeout(() => socket.resetAndDestroy(), floodStaysMs);
      },
      () => {},
    );
  repeat(silentPerSecond, addMissing);
  repeat(floodPerSecond, flood);
  // One after the other: they are cut off after ten seconds, and not all at once.
  for (let i = 0; i < dribbling; i++) setTimeout(dribble, (i * 10_000) / dribbling, i);
}

process.on("message", attack);
process.on("disconnect", () => process.exit(0));
setInterval(() => process.send?.(counts), 500);
