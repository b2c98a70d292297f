/**
 * Asks workers, in batches: at most one batch is in flight for each worker, with all that waits for any of its partitions.
 * Order for each partition, batching under load and back pressure follow from that one rule. What comes while nothing is
 * in flight leaves at the end of this turn of the event loop.
 *
 * Wire: request `u32 count, (u32 length, item)*`; answers `u32 first, u32 count, (u32 length, item)*`, in one message or more.
 */
import { type BusSpan, headersOfBatch } from "./bus-tracing.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Bus } from "./connect-bus.ts";
import { subjects, type WorkerService } from "./subjects.ts";
import type { Workers } from "./workers.ts";

/** No worker answered in time: asking again may help. */
export class Unanswered extends Error {
  override name = "Unanswered";
}

export interface Requester<Request, Answer> {
  /**
   * Asks whoever owns the partition, again and again for up to `giveUpMs`; then calls back with Unanswered. So a request
   * may be carried out more than once. `mayGo` is asked each time it is about to leave; false ends it as unanswered.
   */
  ask(partition: number, request: Request, done: (answer: Answer | Unanswered) => void, mayGo?: () => boolean): void;
  /** How many requests wait or are in flight. */
  pending(): number;
  close(): void;
}

interface Item<Request, Answer> {
  partition: number;
  request: Request;
  done: (answer: Answer | Unanswered) => void;
  givenUpAtMs: number;
  order: number;
  sent: boolean;
  answered: boolean;
  mayGo: (() => boolean) | undefined;
  /** Null unless this request is traced. */
  span: BusSpan | null;
}

interface Lane<Request, Answer> {
  worker: string;
  waiting: Item<Request, Answer>[];
  inFlight: Item<Request, Answer>[] | null;
  batch: number;
  unanswered: number;
  timeOutAtMs: number;
  probeAtMs: number;
}

export interface RequesterOptions<Request, Answer> {
  bus: Bus;
  service: WorkerService;
  workers: Workers;
  /** `repeated`: it was sent before, and may have been carried out, or may yet be. */
  encode: (writer: ByteWriter, request: Request, repeated: boolean) => void;
  decode: (reader: ByteReader) => Answer;
  /** How long a request waited for its answer, and whether it got one: for figures. */
  onDone?: (elapsedMs: number, answered: boolean) => void;
  /** A batch without an answer is sent again after this. */
  timeoutMs?: number;
  giveUpMs?: number;
}

const maxItems = 1_000;
const maxBatchBytes = 512 * 1024;
const probeEveryMs = 300;
const emptyBatch = new Uint8Array(4);

export function createRequester<Request extends { kind: string }, Answer>(
  options: RequesterOptions<Request, Answer>,
): Requester<Request, Answer> {
  type AnItem = Item<Request, Answer>;
  type ALane = Lane<Request, Answer>;
  const { bus, service, workers, encode, decode } = options;
  const { tracing } = bus;
  const timeoutMs = options.timeoutMs ?? 2_000;
  const giveUpMs = options.giveUpMs ?? 10_000;
  const inbox = bus.inbox();
  const lanes = new Map<string, ALane>();
  const laneOfBatch = new Map<number, ALane>();
  /** What waits while no worker lives. */
  let homeless: AnItem[] = [];
  /** Partition → the lane that has requests of it in flight: another lane must wait for those, or order would be lost. */
  const inFlightOn = new Map<number, ALane>();
  const writer = new ByteWriter(16 * 1024);
  let nextBatch = 1;
  let nextOrder = 1;
  let pending = 0;
  let scheduled = false;
  let moved = false;
  let closed = false;

  const finish = (item: AnItem, answer: Answer | Unanswered, nowMs: number) => {
    if (item.answered) return;
    item.answered = true;
    item.span?.end(answer instanceof Unanswered ? answer : undefined);
    pending--;
    options.onDone?.(nowMs - item.givenUpAtMs + giveUpMs, !(answer instanceof Unanswered));
    item.done(answer);
  };

  const laneFor = (worker: string): ALane => {
    let lane = lanes.get(worker);
    if (!lane) {
      lane = { worker, waiting: [], inFlight: null, batch: 0, unanswered: 0, timeOutAtMs: 0, probeAtMs: 0 };
      lanes.set(worker, lane);
    }
    return lane;
  };

  const place = (item: AnItem) => {
    const owner = workers.owners()[item.partition];
    if (owner) laneFor(owner).waiting.push(item);
    else homeless.push(item);
  };

  const schedule = () => {
    if (scheduled || closed) return;
    scheduled = true;
    setImmediate(flushAll);
  };

  /** Partitions moved, or requests came back: everything that waits is dealt out again, oldest first. */
  const dealOut = () => {
    moved = false;
    const all = homeless;
    homeless = [];
    for (const [worker, lane] of lanes) {
      all.push(...lane.waiting);
      lane.waiting = [];
      if (!lane.inFlight) lanes.delete(worker);
    }
    all.sort((a, b) => a.order - b.order);
    for (const item of all) place(item);
  };

  const flushAll = () => {
    scheduled = false;
    if (moved) dealOut();
    for (const lane of lanes.values()) if (!lane.inFlight && lane.waiting.length > 0) flush(lane);
  };

  const flush = (lane: ALane) => {
    const batch: AnItem[] = [];
    const held: AnItem[] = [];
    const heldPartitions = new Set<number>();
    writer.u32(0);
    for (const item of lane.waiting) {
      if (item.answered) continue;
      if (item.mayGo?.() === false) {
        finish(item, new Unanswered("It must not go now"), performance.now());
        continue;
      }
      const blocked = inFlightOn.has(item.partition) && inFlightOn.get(item.partition) !== lane;
      if (
        blocked ||
        batch.length >= maxItems ||
        writer.length >= maxBatchBytes ||
        (heldPartitions.size > 0 && heldPartitions.has(item.partition))
      ) {
        held.push(item);
        heldPartitions.add(item.partition);
        continue;
      }
      batch.push(item);
      inFlightOn.set(item.partition, lane);
      const at = writer.length;
      writer.u32(0);
      encode(writer, item.request, item.sent);
      item.sent = true;
      writer.patchU32(at, writer.length - at - 4);
    }
    lane.waiting = held;
    writer.patchU32(0, batch.length);
    const payload = writer.take();
    if (batch.length === 0) return;
    lane.inFlight = batch;
    lane.unanswered = batch.length;
    lane.batch = nextBatch++;
    const now = performance.now();
    lane.timeOutAtMs = now + timeoutMs;
    lane.probeAtMs = now + probeEveryMs;
    laneOfBatch.set(lane.batch, lane);
    // Directly: this is the turn's end already, or an answer has just made way for what waits.
    bus.nc.publish(subjects.worker(service, lane.worker), payload, {
      reply: `${inbox}.${lane.batch}`,
      ...(tracing ? tracedBatch(batch) : null),
    });
  };

  const tracedBatch = (batch: AnItem[]) => {
    const headers = headersOfBatch(batch.map(({ span }) => span));
    return headers ? { headers } : null;
  };

  /** The batch is over, answered or not: what has no answer waits again, before all that came later. */
  const settle = (lane: ALane) => {
    const batch = lane.inFlight ?? [];
    laneOfBatch.delete(lane.batch);
    lane.inFlight = null;
    for (const item of batch) inFlightOn.delete(item.partition);
    if (lane.unanswered > 0) {
      lane.waiting = batch.filter((item) => !item.answered).concat(lane.waiting);
      moved = true;
    }
    // Those that were held back for this batch's sake may go now.
    schedule();
  };

  const fail = (lane: ALane) => {
    workers.suspect(lane.worker);
    settle(lane);
  };

  /**
   * A worker that was killed with the batch in its hands never answers it, but NATS knows at once that it is gone: an empty
   * batch behind the first, which a living worker passes over, comes back as "no responders".
   */
  const probe = (lane: ALane, now: number) => {
    lane.probeAtMs = now + probeEveryMs;
    bus.nc.publish(subjects.worker(service, lane.worker), emptyBatch, { reply: `${inbox}.${lane.batch}` });
  };

  const subscription = bus.nc.subscribe(`${inbox}.*`, {
    callback: (error, msg) => {
      if (error) return;
      const lane = laneOfBatch.get(Number(msg.subject.slice(inbox.length + 1)));
      if (!lane?.inFlight) return;
      if (msg.data.length === 0) {
        if (msg.headers?.code === 503) fail(lane);
        return;
      }
      const reader = new ByteReader(msg.data);
      const first = reader.u32();
      const count = reader.u32();
      const nowMs = performance.now();
      for (let i = first; i < first + count; i++) {
        const length = reader.u32();
        const next = reader.at + length;
        const item = lane.inFlight[i];
        if (item && !item.answered) {
          finish(item, decode(reader), nowMs);
          lane.unanswered--;
        }
        reader.at = next;
      }
      if (lane.unanswered === 0) {
        settle(lane);
        // What gathered meanwhile leaves at once: the answers' own consequences come in later turns.
        if (lane.waiting.length > 0 && !moved) flush(lane);
      }
    },
  });

  const giveUp = (item: AnItem, now: number): boolean => {
    if (item.answered) return true;
    if (item.givenUpAtMs > now) return false;
    finish(item, new Unanswered("No worker answered in time"), now);
    return true;
  };

  const sweep = setInterval(() => {
    if (pending === 0) return;
    const now = performance.now();
    for (const lane of [...lanes.values()]) {
      lane.waiting = lane.waiting.filter((item) => !giveUp(item, now));
      if (!lane.inFlight) continue;
      for (const item of lane.inFlight) if (!item.answered && giveUp(item, now)) lane.unanswered--;
      if (lane.unanswered === 0) settle(lane);
      else if (now >= lane.timeOutAtMs) fail(lane);
      else if (now >= lane.probeAtMs && bus.isConnected()) probe(lane, now);
    }
    homeless = homeless.filter((item) => !giveUp(item, now));
    schedule();
  }, 100);

  workers.onChange(() => {
    moved = true;
    schedule();
  });

  return {
    ask(partition, request, done, mayGo) {
      const item: AnItem = {
        partition,
        request,
        done,
        givenUpAtMs: performance.now() + giveUpMs,
        order: nextOrder++,
        sent: false,
        answered: false,
        mayGo,
        span: tracing ? tracing.start(`${service}: ${request.kind}`) : null,
      };
      pending++;
      place(item);
      schedule();
    },
    pending: () => pending,
    close() {
      closed = true;
      clearInterval(sweep);
      subscription.unsubscribe();
      const rest = [...homeless, ...[...lanes.values()].flatMap((lane) => [...(lane.inFlight ?? []), ...lane.waiting])];
      for (const item of rest) finish(item, new Unanswered("This process is stopping"), performance.now());
    },
  };
}
