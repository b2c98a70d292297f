import type { SendData } from "@parley/protocol";
import { backoffMs } from "./backoff.ts";
import type { Connection } from "./connection.ts";
import { ParleyError } from "./errors.ts";
import type { OutboxItem, OutboxStorage } from "./outbox-storage.ts";

/** Events that store an entry. */
export type StoredEvent = "SendMessage" | "EditMessage" | "DeleteMessage" | "React";

/** What such an event asks for; the fields beside these are the event's own. */
export interface StoredRequest {
  room: string;
  clientMessageId: string;
  [field: string]: unknown;
}

export type Outbox = ReturnType<typeof createOutbox>;

interface Item extends OutboxItem {
  resolve(sent: SendData): void;
  reject(error: ParleyError): void;
  sentAtMs: number;
  /** The connection's era in which it was sent last. */
  era: number;
  refusals: number;
  /** How often the connection broke right after this was sent, and nothing else was under way. */
  strikes: number;
}

/** How many may be under way at once, few enough that a burst's refusals stay below what closes the connection. */
const inFlightLimit = 32;
const inFlightPerRoom = 16;
const rateLimitedPauseMs = 1_000;
/** A connection that breaks within this time after a send may have been broken by it. */
const suspicionMs = 2_000;
/** After a connection broke by itself, no message is blamed for so long: the network does it. */
const flakyMs = 60_000;
/** What nobody came back for is forgotten. */
const keptMs = 7 * 24 * 60 * 60_000;

/**
 * Everything that must be stored, kept until it is acknowledged (in `storage` also across pages), and sent again with the
 * same clientMessageId after each reconnection. Several entries of a room are under way at once, each naming the one before
 * (`after`), without which the gateway stores none of them: so the order in which they were given is the order in which
 * they are stored, also when one of them has to be repeated.
 */
export function createOutbox(
  connection: Connection,
  storage: OutboxStorage | null,
  /** Told of what an earlier page left. */
  restored: (item: OutboxItem, sent: Promise<SendData>) => void,
) {
  const queues = new Map<string, Item[]>();
  const inFlight = new Set<Item>();
  const suspects = new Set<Item>();
  /** Rooms where one was refused: the next goes out once those behind it were refused too. */
  const stalled = new Set<string>();
  let loading = storage !== null;
  /** By `performance.now()`; 0 where nothing is held back. */
  let pausedUntilMs = 0;
  let brokeByItselfAtMs = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const idOf = (item: OutboxItem) => item.requestData.clientMessageId;
  const roomOf = (item: OutboxItem) => item.requestData.room;
  const isUnderWay = (room: string) => [...inFlight].some((item) => roomOf(item) === room);

  /** What storage can't do is done without: the message itself goes on. */
  const kept = (act: (storage: OutboxStorage) => Promise<void>) => {
    if (storage) act(storage).catch(() => {});
  };

  function takeOut(item: Item) {
    suspects.delete(item);
    const queue = queues.get(roomOf(item))!;
    queue.splice(queue.indexOf(item), 1);
    if (queue.length === 0) queues.delete(roomOf(item));
  }

  function finish(item: Item) {
    takeOut(item);
    kept((each) => each.remove(idOf(item)));
  }

  function holdBack(ms: number) {
    const nowMs = performance.now();
    pausedUntilMs = Math.max(pausedUntilMs, nowMs + ms);
    clearTimeout(timer);
    // The timer alone says when it is over: a clock that lags behind it by a little would say "not yet", and nobody would ask again.
    timer = setTimeout(resume, pausedUntilMs - nowMs);
  }

  function resume() {
    pausedUntilMs = 0;
    pump();
  }

  function pump() {
    if (loading || !connection.isOnline() || pausedUntilMs > 0) return;
    const [suspect] = suspects;
    if (suspect) {
      // Alone, so that if the connection breaks again there is no doubt about the cause; but what lies before it first.
      if (inFlight.size === 0) transmit(queues.get(roomOf(suspect))![0]!);
      return;
    }
    for (const [room, queue] of queues)
      if (!stalled.has(room) && fill(queue)) queues.delete(room) && queues.set(room, queue);
  }

  /** Sends what a room's window has space for; answers whether there was any, so that other rooms have their turn first. */
  function fill(queue: Item[]): boolean {
    let sent = false;
    let before: Item | undefined;
    for (const item of queue.slice(0, inFlightPerRoom)) {
      if (!inFlight.has(item)) {
        if (inFlight.size >= inFlightLimit) break;
        transmit(item, before);
        sent = true;
      } else if (item.era !== connection.era()) {
        // Under way on the link before this one: what comes behind it must not overtake it.
        break;
      }
      before = item;
    }
    return sent;
  }

  function transmit(item: Item, before?: Item) {
    inFlight.add(item);
    item.sentAtMs = Date.now();
    item.era = connection.era();
    const requestData = before ? { ...item.requestData, after: idOf(before) } : item.requestData;
    connection.request<SendData>(item.event, requestData).then(
      (sent) => {
        inFlight.delete(item);
        // It was blamed for what was not its doing.
        if (item.strikes > 0) brokeByItselfAtMs = Date.now();
        finish(item);
        item.resolve(sent);
        settled(item);
      },
      (error: ParleyError) => {
        inFlight.delete(item);
        failed(item, error);
        settled(item);
      },
    );
  }

  function settled(item: Item) {
    if (!isUnderWay(roomOf(item))) stalled.delete(roomOf(item));
    pump();
  }

  function failed(item: Item, error: ParleyError) {
    if (error.code === "disconnected") return;
    item.strikes = 0;
    suspects.delete(item);
    if (!error.retryable) {
      finish(item);
      item.reject(error);
      return;
    }
    stalled.add(roomOf(item));
    if (error.code === "rate_limited") holdBack(Math.max(error.retryAfterMs ?? 0, rateLimitedPauseMs));
    else holdBack(error.retryAfterMs ?? backoffMs(item.refusals++, Math.random()));
  }

  function queue(item: OutboxItem): Promise<SendData> {
    return new Promise((resolve, reject) => {
      const whole = { ...item, resolve, reject, sentAtMs: 0, era: 0, refusals: 0, strikes: 0 };
      const known = queues.get(roomOf(item));
      if (known) known.push(whole);
      else queues.set(roomOf(item), [whole]);
    });
  }

  /** What an earlier page left goes before what this one wrote meanwhile. */
  async function load(from: OutboxStorage) {
    const items = await from.load().catch(() => []);
    const early = [...queues.values()];
    queues.clear();
    for (const item of items) {
      if (Date.now() - Date.parse(item.at) < keptMs) restored(item, queue(item));
      else kept((each) => each.remove(idOf(item)));
    }
    for (const items of early) queues.set(roomOf(items[0]!), [...(queues.get(roomOf(items[0]!)) ?? []), ...items]);
    loading = false;
    online();
  }

  function online() {
    const me = connection.snapshot().user?.id;
    if (loading || !me) return;
    for (const item of [...queues.values()].flat()) {
      item.user ??= me;
      if (item.user === me) continue;
      // It stays in storage for them.
      takeOut(item);
      item.reject(new ParleyError("not_yours", "Somebody else wrote this on this device"));
    }
    pump();
  }

  connection.on("online", online);
  connection.on("offline", ({ code }) => {
    if (code !== 1006 && code !== 1009) return;
    const nowMs = Date.now();
    const recent = [...inFlight].filter((item) => nowMs - item.sentAtMs <= suspicionMs);
    if (recent.length === 0) brokeByItselfAtMs = nowMs;
    for (const item of recent) {
      suspects.add(item);
      // Of several, most are innocent: each is tried alone.
      if (inFlight.size > 1 || nowMs - brokeByItselfAtMs < flakyMs || ++item.strikes < 2) continue;
      finish(item);
      item.reject(new ParleyError("set_aside", "The connection broke twice right after this was sent"));
    }
  });
  connection.on("state", (state) => {
    if (state !== "closed") return;
    clearTimeout(timer);
    const error = connection.snapshot().error ?? new ParleyError("closed", "This client is closed");
    for (const items of queues.values()) for (const item of items) item.reject(error);
    queues.clear();
  });
  if (storage) void load(storage);

  return {
    /** Resolves once it is stored. Rejects when the server refuses it for good. */
    add(event: StoredEvent, requestData: StoredRequest, at = new Date().toISOString()): Promise<SendData> {
      const { state, user } = connection.snapshot();
      if (state === "closed") return Promise.reject(new ParleyError("closed", "This client is closed"));
      const item = { event, requestData, at, user: user?.id ?? null };
      kept((each) => each.put(item));
      const sent = queue(item);
      pump();
      return sent;
    },
  };
}
