// A process that attacks a gateway in three ways at once until it is killed, and says by IPC how far it got; or that takes as much
// of its CPU as an attack does, and leaves the gateway alone.
import { connect, type Socket } from "node:net";
import { constants, setPriority } from "node:os";

export interface AttackOrder {
  port: number;
  /** Connections that open and never register, kept up at this number. */
  silent: number;
  /** Handshakes that send a byte a second. */
  dribbling: number;
  /** New connections at a time, over and over, from one address. */
  flooding: number;
}

export interface BurnOrder {
  /** Of a CPU, 0 to 1. */
  share: number;
}

export interface AttackCounts {
  silentOpen: number;
  silentOpened: number;
  dribblingOpen: number;
  flooded: number;
  refused: number;
}

const handshake =
  "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const counts: AttackCounts = { silentOpen: 0, silentOpened: 0, dribblingOpen: 0, flooded: 0, refused: 0 };
/** Below the node's 1,000 a second, so that members can still come. */
const silentPerSecond = 900;
const tickMs = 10;
const silentAddresses = 200;

// Attackers have machines of their own: this one takes only what nobody else on its CPU wants.
setPriority(constants.priority.PRIORITY_LOW);

/** Each attacker from addresses of its own: all of 127.0.0.0/8 is this machine. */
function open(port: number, localAddress: string, onOpen: (socket: Socket) => void, onEnd: () => void): void {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.once("connect", () => onOpen(socket));
  socket.on("data", (chunk) => {
    if (chunk.toString("latin1", 0, 12) !== "HTTP/1.1 503") return;
    counts.refused++;
    socket.destroy();
  });
  socket.on("error", () => {});
  socket.once("close", onEnd);
}

function attack({ port, silent, dribbling, flooding }: AttackOrder): void {
  let nextAddress = 0;
  let lastMs = performance.now();
  const addMissing = () => {
    const nowMs = performance.now();
    // What one tick did not get done, the next one does not catch up with in a heap.
    const due = Math.min(silentPerSecond / 20, Math.round(((nowMs - lastMs) * silentPerSecond) / 1_000));
    lastMs = nowMs;
    for (let i = 0; i < due && counts.silentOpen < silent; i++) {
      counts.silentOpen++;
      nextAddress = (nextAddress + 1) % silentAddresses;
      open(
        port,
        `127.1.0.${nextAddress + 1}`,
        (socket) => {
          counts.silentOpened++;
          socket.write(handshake);
        },
        () => counts.silentOpen--,
      );
    }
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
        setTimeout(() => socket.destroy(), 20);
      },
      () => setImmediate(flood),
    );
  setInterval(addMissing, tickMs);
  // One after the other: they are cut off after ten seconds, and not all at once.
  for (let i = 0; i < dribbling; i++) setTimeout(dribble, (i * 10_000) / dribbling, i);
  for (let i = 0; i < flooding; i++) flood();
}

const burnStepMs = 5;

function burn({ share }: BurnOrder): void {
  setInterval(() => {
    const endsAtMs = performance.now() + burnStepMs * share;
    while (performance.now() < endsAtMs);
  }, burnStepMs);
}

process.on("message", (order: AttackOrder | BurnOrder) => ("share" in order ? burn(order) : attack(order)));
process.on("disconnect", () => process.exit(0));
setInterval(() => process.send?.(counts), 500);
