import { type TestStack, testStore } from "../support/start-stack.ts";
import type { Teardown } from "../support/teardown.ts";
import { checkLogs } from "./check-logs.ts";
import { type Acknowledged, type Publisher, startPublisher } from "./publisher.ts";
import { type Reader, startReader } from "./reader.ts";

export interface TrafficOptions {
  rooms: number;
  readers?: number;
  publishers?: number;
  /** Messages in all. */
  messages: number;
  /** In all; a rate, not a promise: on a slow machine they take their time. */
  perSecond: number;
  /** Go on beyond `messages` until this is true. */
  enough?: () => boolean;
  /** Whether a client that lost its gateway tries the other one too; else it waits for its own. */
  roam?: boolean;
}

export interface Traffic {
  rooms: readonly string[];
  /** How many there are to be, at least: fewer than asked for where the store is slow. */
  messages: number;
  readers: readonly Reader[];
  publishers: readonly Publisher[];
  /** Each publisher's messages, once all are acknowledged. Rejects when one is refused for good. */
  sent: Promise<Acknowledged[][]>;
  acknowledged(): number;
  /** How often sends were refused as retryable. */
  refusals(): number;
  /** Waits for the end and compares what the store has, senders were told and readers heard; answers what was sent. */
  check(): Promise<Acknowledged[][]>;
}

/** Of the messages, where the store is MongoDB: what stands in for it in tests is slow. */
const mongodbShare = 0.15;

/** Senders and listeners on two gateways, half of them at home on each. Resolves once all listen. */
export async function startTraffic(teardown: Teardown, stack: TestStack, options: TrafficOptions): Promise<Traffic> {
  const { readers: readerCount = 2, publishers: publisherCount = 4 } = options;
  const share = testStore() === "mongodb" ? mongodbShare : 1;
  const [messages, perSecond] = [options.messages * share, options.perSecond * share];
  const gateways = [1, 2].map((gateway) => `${stack.wsUrl(gateway)}/ws`);
  const urlsOf = (i: number) => {
    const [home, other] = i % 2 === 0 ? gateways : gateways.toReversed();
    return options.roam ? [home!, other!] : [home!];
  };
  const rooms = Array.from({ length: options.rooms }, (_, i) => `room ${i}`);
  const readers = Array.from({ length: readerCount }, (_, i) => startReader(teardown, { urls: urlsOf(i), rooms }));
  await Promise.all(readers.map((reader) => reader.online()));
  const publishers = Array.from({ length: publisherCount }, (_, i) =>
    startPublisher(teardown, {
      urls: urlsOf(i),
      rooms,
      name: `p${i}`,
      count: messages / publisherCount,
      perSecond: perSecond / publisherCount,
      ...(options.enough ? { enough: options.enough } : {}),
    }),
  );
  const sent = Promise.all(publishers.map(({ done }) => done));
  sent.catch(() => {});
  const sum = (of: (publisher: Publisher) => number) => publishers.reduce((all, publisher) => all + of(publisher), 0);
  return {
    rooms,
    messages,
    readers,
    publishers,
    sent,
    acknowledged: () => sum((publisher) => publisher.acknowledged()),
    refusals: () => sum((publisher) => publisher.refusals()),
    check: async () => {
      const all = await sent;
      await checkLogs(gateways[0]!, rooms, all, readers);
      return all;
    },
  };
}
