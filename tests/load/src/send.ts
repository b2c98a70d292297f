/** Acknowledged sends, closed loop: each connection keeps so many of them unanswered, and waits for nothing else. */
import { createHistogram, type Histogram } from "./histogram.ts";
import { type Measured, measureWindow } from "./measure.ts";
import { createReplyReader } from "./reply.ts";
import { closeAll, openAll, runLoop, waitUntil } from "./run-loop.ts";
import { createSendFrame, findKey, firstRequestId, nowMicros, readNumber } from "./send-frame.ts";
import { createSequence, type Sequence } from "./sequence.ts";
import type { Side } from "./side.ts";

export interface SendSettings {
  conns: number;
  window: number;
  /** Connections are dealt out among them. */
  rooms: number;
  textBytes: number;
  measureMs: number;
  warmupMs: number;
  drainMs: number;
  inflight: number;
  spin: boolean;
}

export interface SendFigures extends Measured {
  /** Sends acknowledged within the measured time. */
  acked: number;
  /** Never answered, though waited for. */
  unanswered: number;
  /** Answers to what had been answered before, or never asked. */
  repeated: number;
  /** Seqs that no reply named, or that two replies named (ours only); a room's must be 1, 2, 3 … */
  seqBreaks: number;
  refused: Record<string, number>;
  disconnects: number;
  lastDisconnect: string | null;
  /** From sending to the reply (µs), of the sends acknowledged within the measured time. */
  latency: Histogram;
}

const seqKey = Buffer.from('"seq":');

export async function runSend(
  side: Side,
  settings: SendSettings,
  run: string,
  progress: (text: string) => void,
): Promise<SendFigures> {
  const { conns, window } = settings;
  const roomNames = Array.from({ length: settings.rooms }, (_, room) => `load-${run}-${room}`);
  const connections = await openAll(
    conns,
    settings.inflight,
    (index) => side.enter(index, "publish", roomNames[index % settings.rooms]!),
    (opened) => progress(`connected ${opened} of ${conns}`),
  );
  const latency = createHistogram();
  const replies = createReplyReader();
  const rooms = roomNames.map(() => ({ sequence: createSequence(1), head: 0 }));
  const numbered = side.name === "ours";
  let acked = 0;
  let outstanding = 0;
  let repeated = 0;
  let disconnects = 0;
  let lastDisconnect: string | null = null;
  let measuring = false;
  let sending = true;
  let seqHint = 0;

  const begin = connections.map((connection, index) => {
    const room: { sequence: Sequence; head: number } = rooms[index % settings.rooms]!;
    const frame = createSendFrame(roomNames[index % settings.rooms]!, 0, settings.textBytes);
    // A send's id is its slot plus a multiple of the window: so a reply finds its slot, in whatever order it comes.
    const sentMicros = new Float64Array(window);
    const awaitedIds = new Float64Array(window).fill(-1);
    let waiting: Buffer[] = [];
    const send = (slot: number, id: number, atMicros: number): void => {
      awaitedIds[slot] = id;
      sentMicros[slot] = atMicros;
      outstanding++;
      waiting.push(frame.make(id, id - firstRequestId, atMicros));
    };
    const flush = (): void => {
      if (waiting.length === 0) return;
      connection.write(waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting));
      waiting = [];
    };
    connection.onText = (bytes, start, end) => {
      const answeredId = replies.read(bytes, start, end);
      const id = answeredId === -1 ? replies.takeRefusedId() : answeredId;
      if (id === -1) return;
      const slot = (id - firstRequestId) % window;
      if (awaitedIds[slot] !== id) {
        repeated++;
        return;
      }
      const atMicros = nowMicros();
      awaitedIds[slot] = -1;
      outstanding--;
      if (answeredId !== -1) {
        if (measuring) {
          acked++;
          latency.add(atMicros - sentMicros[slot]!);
        }
        if (numbered) {
          const seqAt = findKey(bytes, start, end, seqHint, seqKey);
          seqHint = Math.max(0, seqAt - seqKey.length);
          const seq = seqAt === -1 ? 0 : readNumber(bytes, start + seqAt);
          room.sequence.see(seq);
          if (seq > room.head) room.head = seq;
        }
      }
      if (sending) send(slot, id + window, atMicros);
    };
    connection.onChunkEnd = flush;
    connection.onLost = (reason) => {
      disconnects++;
      lastDisconnect = reason;
    };
    return () => {
      for (let slot = 0; slot < window; slot++) send(slot, firstRequestId + slot, nowMicros());
      flush();
    };
  });

  for (const start of begin) start();
  const warmUntil = nowMicros() + 1000 * settings.warmupMs;
  await runLoop(settings.spin, (at) => at < warmUntil);
  const finish = measureWindow(side);
  measuring = true;
  const startMicros = nowMicros();
  let toldAt = 0;
  await runLoop(settings.spin, (at) => {
    if (at - toldAt > 500_000) {
      toldAt = at;
      progress(`${Math.round((at - startMicros) / 1e5) / 10} s: ${acked} acknowledged`);
    }
    return at < startMicros + 1000 * settings.measureMs;
  });
  measuring = false;
  const measured = finish();
  sending = false;
  await waitUntil(() => outstanding === 0, settings.drainMs);
  await closeAll(connections);

  const unnumbered = outstanding + replies.refusedCount;
  let seqBreaks = 0;
  for (const { sequence, head } of rooms) seqBreaks += sequence.repeated + sequence.missing(head);
  return {
    ...measured,
    acked,
    unanswered: outstanding,
    repeated,
    // What was refused or never answered may still have been stored, and its number is then one that no reply named.
    seqBreaks: Math.max(0, seqBreaks - unnumbered),
    refused: replies.refused,
    disconnects,
    lastDisconnect,
    latency,
  };
}
