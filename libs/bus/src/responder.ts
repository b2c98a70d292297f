/** The worker's side of requester.ts: takes batches apart, has each item handled, answers when all are done. */
import type { Msg } from "@nats-io/nats-core";
import { tracesOfBatch } from "./bus-tracing.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Bus } from "./connect-bus.ts";
import { subjects, type WorkerService } from "./subjects.ts";

export interface Responder {
  /** Batches not yet answered. */
  busy(): number;
  counts: { batches: number; requests: number };
  /** Takes no more batches, and waits until those taken are answered. */
  stop(): Promise<void>;
}

export interface ResponderOptions<Request, Answer> {
  bus: Bus;
  service: WorkerService;
  worker: string;
  decode: (reader: ByteReader) => Request;
  encode: (writer: ByteWriter, answer: Answer) => void;
  /** Handles one request. Never rejects: what goes wrong is an answer too. Called for all of a batch in its order. */
  handle: (request: Request) => Promise<Answer>;
  /** How long a batch took from its arrival to its answer: for figures. */
  onBatch?: (elapsedMs: number) => void;
  /** A batch that can't be read: a fault of ours, to be logged. */
  onUnreadable: (error: unknown) => void;
}

export function serveBatches<Request extends { kind: string }, Answer>(
  options: ResponderOptions<Request, Answer>,
): Responder {
  const { bus, decode, encode, handle } = options;
  const { tracing } = bus;
  const counts = { batches: 0, requests: 0 };
  const writer = new ByteWriter(16 * 1024);
  let busy = 0;
  let idle: (() => void) | null = null;

  const answerAll = (reply: string, answers: Answer[]) => {
    // An answer may be as long as a page of history: a message holds as many as NATS carries with room to spare.
    const maxBytes = Math.min(512 * 1024, (bus.nc.info?.max_payload ?? 1024 * 1024) / 2);
    let first = 0;
    while (first < answers.length) {
      writer.u32(first);
      writer.u32(0);
      let count = 0;
      while (first + count < answers.length && (count === 0 || writer.length < maxBytes)) {
        const at = writer.length;
        writer.u32(0);
        encode(writer, answers[first + count] as Answer);
        writer.patchU32(at, writer.length - at - 4);
        count++;
      }
      writer.patchU32(4, count);
      bus.publish(reply, writer.take());
      first += count;
    }
  };

  const take = (msg: Msg) => {
    const { reply } = msg;
    if (!reply) return;
    const pending: Promise<Answer>[] = [];
    const traces = tracing ? tracesOfBatch(msg.headers) : null;
    try {
      const reader = new ByteReader(msg.data);
      const count = reader.u32();
      for (let i = 0; i < count; i++) {
        const length = reader.u32();
        const next = reader.at + length;
        const request = decode(reader);
        const trace = traces?.get(i);
        if (trace && tracing) {
          const span = tracing.follow(trace, `${options.service} worker: ${request.kind}`);
          pending.push(tracing.within(span, () => handle(request)));
        } else pending.push(handle(request));
        reader.at = next;
      }
    } catch (error) {
      options.onUnreadable(error);
      return;
    }
    // A requester's empty batch only asks whether anybody is here.
    if (pending.length === 0) return;
    counts.batches++;
    counts.requests += pending.length;
    busy++;
    const takenAtMs = performance.now();
    void Promise.all(pending)
      .then((answers) => answerAll(reply, answers))
      .catch(options.onUnreadable)
      .finally(() => {
        options.onBatch?.(performance.now() - takenAtMs);
        if (--busy === 0) idle?.();
      });
  };

  const subscription = bus.nc.subscribe(subjects.worker(options.service, options.worker), {
    callback: (error, msg) => {
      if (!error) take(msg);
    },
  });

  return {
    busy: () => busy,
    counts,
    async stop() {
      await subscription.drain();
      if (busy > 0) await new Promise<void>((resolve) => (idle = resolve));
    },
  };
}
