/** R rooms × M listeners, P publishers a room, open loop: what one message costs that many read. */
import type { Connection } from "./connection.ts";
import { createHistogram, type Histogram } from "./histogram.ts";
import { type Measured, measureWindow } from "./measure.ts";
import { createReplyReader } from "./reply.ts";
import { closeAll, openAll, runLoop, waitUntil } from "./run-loop.ts";
import {
  createSendFrame,
  findKey,
  firstRequestId,
  nowMicros,
  readNumber,
  readStamp,
  type Stamp,
} from "./send-frame.ts";
import { createSequence, type Sequence } from "./sequence.ts";
import type { Side } from "./side.ts";

export interface FanoutSettings {
  rooms: number;
  members: number;
  publishers: number;
  /** Messages a second of each publisher. */
  ratePerSecond: number;
  textBytes: number;
  measureMs: number;
  warmupMs: number;
  drainMs: number;
  inflight: number;
  spin: boolean;
}

export interface FanoutFigures extends Measured {
  /** Messages sent, warm-up included. */
  sent: number;
  /** Deliveries that arrived within the measured time. */
  delivered: number;
  /** Deliveries that never arrived, of messages that were acknowledged. */
  lost: number;
  repeated: number;
  outOfOrder: number;
  /** Deliveries whose seq was not the one before plus one (ours only: the bare server numbers nothing). */
  seqBreaks: number;
  unanswered: number;
  refused: Record<string, number>;
  disconnects: number;
  lastDisconnect: string | null;
  /** From when a message was due (µs), of those due in the measured time. */
  latency: Histogram;
  /** How late the generator itself sent (µs): when this is high, it was the generator that was too slow. */
  lateness: Histogram;
}

const seqKey = Buffer.from('"seq":');

export async function runFanout(
  side: Side,
  settings: FanoutSettings,
  run: string,
  progress: (text: string) => void,
): Promise<FanoutFigures> {
  const { rooms, members, publishers } = settings;
  const roomNames = Array.from({ length: rooms }, (_, room) => `load-${run}-${room}`);
  const listenerCount = rooms * members;
  const senderCount = rooms * publishers;
  const connections = await openAll(
    listenerCount + senderCount,
    settings.inflight,
    (index) =>
      index < listenerCount
        ? side.enter(index, "listen", roomNames[index % rooms]!)
        : side.enter(index, "publish", roomNames[(index - listenerCount) % rooms]!),
    (opened) => progress(`connected ${opened} of ${listenerCount + senderCount}`),
  );

  const latency = createHistogram();
  const lateness = createHistogram();
  const replies = createReplyReader();
  let delivered = 0;
  let received = 0;
  let seqBreaks = 0;
  let answered = 0;
  let disconnects = 0;
  let lastDisconnect: string | null = null;
  let measureFrom = Number.POSITIVE_INFINITY;
  let measureTo = Number.POSITIVE_INFINITY;
  let measuring = false;
  // One clock reading for all frames of a chunk: they became readable at the same time.
  let chunkMicros = 0;
  const stamp: Stamp = { atMicros: 0, publisher: 0, count: 0 };
  const numbered = side.name === "ours";

  const listen = (connection: Connection): Sequence[] => {
    const sequences = Array.from({ length: publishers }, () => createSequence(0));
    let stampHint = 0;
    let seqHint = 0;
    let lastSeq = 0;
    connection.onText = (bytes, start, end) => {
      const hint = readStamp(bytes, start, end, stampHint, stamp);
      // Arrivals of others, and the like.
      if (hint === -1) return;
      stampHint = hint;
      if (chunkMicros === 0) chunkMicros = nowMicros();
      received++;
      if (measuring) delivered++;
      if (stamp.atMicros >= measureFrom && stamp.atMicros < measureTo) latency.add(chunkMicros - stamp.atMicros);
      sequences[stamp.publisher]?.see(stamp.count);
      if (!numbered) return;
      const seqAt = findKey(bytes, start, end, seqHint, seqKey);
      const seq = seqAt === -1 ? -1 : readNumber(bytes, start + seqAt);
      seqHint = Math.max(0, seqAt - seqKey.length);
      if (seq !== lastSeq + 1 && lastSeq !== 0) seqBreaks++;
      lastSeq = seq;
    };
    connection.onChunkEnd = () => {
      chunkMicros = 0;
    };
    return sequences;
  };
  const listeners = connections.slice(0, listenerCount).map(listen);
  const senders = connections.slice(listenerCount).map((connection, index) => {
    connection.onText = (bytes, start, end) => {
      if (replies.read(bytes, start, end) !== -1) answered++;
    };
    return {
      connection,
      frame: createSendFrame(roomNames[index % rooms]!, Math.floor(index / rooms), settings.textBytes),
    };
  });
  for (const connection of connections)
    connection.onLost = (reason) => {
      disconnects++;
      lastDisconnect = reason;
    };

  const perSecond = senderCount * settings.ratePerSecond;
  const startMicros = nowMicros() + 10_000;
  let sent = 0;
  /** The senders take turns, evenly spread, so the n-th message's time and sender follow from n. */
  const sendDue = (atMicros: number, untilMicros: number): void => {
    for (;;) {
      const dueMicros = startMicros + (sent * 1e6) / perSecond;
      if (dueMicros > atMicros || dueMicros >= untilMicros) return;
      const count = Math.floor(sent / senderCount);
      const sender = senders[sent % senderCount]!;
      sender.connection.write(sender.frame.make(firstRequestId + count, count, dueMicros));
      if (measuring) lateness.add(nowMicros() - dueMicros);
      sent++;
    }
  };

  const untilMicros = startMicros + 1000 * (settings.warmupMs + settings.measureMs);
  await runLoop(settings.spin, (at) => {
    sendDue(at, untilMicros);
    return at < startMicros + 1000 * settings.warmupMs;
  });
  const finish = measureWindow(side);
  measuring = true;
  measureFrom = nowMicros();
  measureTo = untilMicros;
  let toldAt = 0;
  await runLoop(settings.spin, (at) => {
    sendDue(at, untilMicros);
    if (at - toldAt > 500_000) {
      toldAt = at;
      progress(`${Math.round((at - measureFrom) / 1e5) / 10} s: ${delivered} deliveries`);
    }
    return at < untilMicros;
  });
  measuring = false;
  const measured = finish();

  progress("waiting for the last ones");
  const complete = (): boolean =>
    received >= (sent - replies.refusedCount) * members && answered + replies.refusedCount >= sent;
  await waitUntil(complete, settings.drainMs);
  await closeAll(connections);

  // The n-th message was the (n mod senders)-th sender's: so each has sent its share, the first ones one more.
  const lastCountOf = (sender: number): number => Math.ceil((sent - sender) / senderCount) - 1;
  let missing = 0;
  let repeated = 0;
  let outOfOrder = 0;
  listeners.forEach((sequences, index) => {
    sequences.forEach((sequence, publisher) => {
      missing += sequence.missing(lastCountOf((index % rooms) + publisher * rooms));
      repeated += sequence.repeated;
      outOfOrder += sequence.outOfOrder;
    });
  });
  const unanswered = sent - answered - replies.refusedCount;
  return {
    ...measured,
    sent,
    delivered,
    lost: Math.max(0, missing - (replies.refusedCount + unanswered) * members),
    repeated,
    outOfOrder,
    seqBreaks,
    unanswered,
    refused: replies.refused,
    disconnects,
    lastDisconnect,
    latency,
    lateness,
  };
}
