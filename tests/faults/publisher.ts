import { setTimeout as sleep } from "node:timers/promises";
import type { Teardown } from "../support/teardown.ts";
import { startReturningClient } from "./returning-client.ts";

export interface Acknowledged {
  clientMessageId: string;
  room: string;
  seq: number;
  /** How long the sender waited for it, with all repeats. */
  tookMs: number;
  /** Which of its publisher's connections carried it, when its first sending was answered with success. */
  firstTryOn: number | null;
}

export interface Publisher {
  /** In the order in which they were first sent. Rejects when one is refused for good. */
  done: Promise<Acknowledged[]>;
  /** How many are acknowledged so far. */
  acknowledged(): number;
  /** How often its sends were refused as retryable. */
  refusals(): number;
  connections(): number;
}

export interface PublisherOptions {
  urls: readonly string[];
  rooms: readonly string[];
  /** Begins its messages' ids. */
  name: string;
  count: number;
  /** Goes on beyond `count` until this is true. */
  enough?: () => boolean;
  perSecond: number;
  /** How many sends may be without an answer. */
  window?: number;
  text?: string;
}

const retryAfterMs = 50;

/** Sends to the rooms in turn until the test ends, and repeats with the same `clientMessageId` whatever was not acknowledged. */
export function startPublisher(teardown: Teardown, options: PublisherOptions): Publisher {
  const { rooms, name, count, enough = () => true, perSecond, window = 64, text = "hello" } = options;
  const client = startReturningClient(teardown, { urls: options.urls });
  let acknowledged = 0;
  let refusals = 0;
  /** A test that failed is over, whatever was still to be sent. */
  let over = false;
  teardown.after(() => {
    over = true;
  });

  const sendOnce = async (message: { room: string; clientMessageId: string; text: string }) => {
    await client.online();
    const connection = client.connections();
    // A connection that ends says nothing of what became of the message.
    const reply = await client.send("SendMessage", message).catch(() => null);
    return { reply, connection };
  };

  const deliver = async (n: number): Promise<Acknowledged> => {
    const room = rooms[n % rooms.length]!;
    const clientMessageId = `${name}-${n}`;
    const startedAt = performance.now();
    for (let tries = 1; ; tries++) {
      const { reply, connection } = await sendOnce({ room, clientMessageId, text });
      if (reply?.success) {
        acknowledged++;
        const { seq } = reply.data as { seq: number };
        const tookMs = performance.now() - startedAt;
        return { clientMessageId, room, seq, tookMs, firstTryOn: tries === 1 ? connection : null };
      }
      if (reply && !reply.retryable) throw new Error(`${clientMessageId} was refused: ${reply.code} ${reply.error}`);
      if (reply) refusals++;
      await sleep(retryAfterMs);
    }
  };

  const run = async () => {
    await client.online();
    const sends: Promise<Acknowledged>[] = [];
    let refused: Error | null = null;
    const startedAt = performance.now();
    for (let n = 0; (n < count || !enough()) && !over; n++) {
      while (sends.length - acknowledged >= window && !refused && !over) await sleep(1);
      if (refused) throw refused;
      const dueInMs = startedAt + (n * 1_000) / perSecond - performance.now();
      if (dueInMs > 1) await sleep(dueInMs);
      const sending = deliver(n);
      sending.catch((error) => (refused = error));
      sends.push(sending);
    }
    return Promise.all(sends);
  };
  const done = run();
  done.catch(() => {});
  return { done, acknowledged: () => acknowledged, refusals: () => refusals, connections: client.connections };
}
