import type { SendData } from "@parley/protocol";
import { backoffMs } from "./backoff.ts";
import type { Connection } from "./connection.ts";
import { ParleyError } from "./errors.ts";

/** Events that store an entry. */
export type StoredEvent = "SendMessage" | "EditMessage" | "DeleteMessage" | "React";

/** What such an event asks for; the fields beside these are the event's own. */
export interface StoredRequest {
  room: string;
  clientMessageId: string;
  [field: string]: unknown;
}

interface Item {
  event: StoredEvent;
  room: string;
  requestData: StoredRequest;
  resolve(sent: SendData): void;
  reject(error: ParleyError): void;
  sentAtMs: number;
  refusals: number;
  /** How often the connection broke right after this was sent. */
  strikes: number;
}

/** How many may be under way at once; few enough that a burst's refusals stay below what closes the connection. */
const inFlightLimit = 16;
const rateLimitedPauseMs = 1_000;
/** A connection that breaks within this time after a send may have been broken by it. */
const suspicionMs = 2_000;

/**
 * Everything that must be stored, kept until it is acknowledged, and sent again with the same clientMessageId after each
 * reconnection. One entry of a room is under way at a time: so the order in which they were given is the order in which
 * they are stored, also when one of them has to be repeated.
 */
export function createOutbox(connection: Connection) {
  const queues = new Map<string, Item[]>();
  const inFlight = new Set<Item>();
  const suspects = new Set<Item>();
  let pausedUntilMs = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function remove(item: Item) {
    suspects.delete(item);
    const queue = queues.get(item.room)!;
    queue.shift();
    if (queue.length === 0) queues.delete(item.room);
  }

  function holdBack(ms: number) {
    pausedUntilMs = Math.max(pausedUntilMs, Date.now() + ms);
    clearTimeout(timer);
    timer = setTimeout(pump, pausedUntilMs - Date.now());
  }

  function pump() {
    if (!connection.isOnline() || Date.now() < pausedUntilMs) return;
    if (suspects.size > 0) {
      // Alone, so that if the connection breaks again there is no doubt about the cause.
      if (inFlight.size === 0) transmit(suspects.values().next().value!);
      return;
    }
    for (const [first] of queues.values()) {
      if (inFlight.size >= inFlightLimit) return;
      if (!inFlight.has(first!)) transmit(first!);
    }
  }

  function transmit(item: Item) {
    inFlight.add(item);
    item.sentAtMs = Date.now();
    connection.request<SendData>(item.event, item.requestData).then(
      (sent) => {
        inFlight.delete(item);
        remove(item);
        item.resolve(sent);
        pump();
      },
      (error: ParleyError) => {
        inFlight.delete(item);
        failed(item, error);
        pump();
      },
    );
  }

  function failed(item: Item, error: ParleyError) {
    if (error.code === "disconnected") return;
    item.strikes = 0;
    suspects.delete(item);
    if (!error.retryable) {
      remove(item);
      item.reject(error);
    } else if (error.code === "rate_limited") {
      holdBack(Math.max(error.retryAfterMs ?? 0, rateLimitedPauseMs));
    } else {
      holdBack(error.retryAfterMs ?? backoffMs(item.refusals++, Math.random()));
    }
  }

  connection.on("online", pump);
  connection.on("offline", ({ code }) => {
    if (code !== 1006 && code !== 1009) return;
    for (const item of [...inFlight]) {
      if (Date.now() - item.sentAtMs > suspicionMs) continue;
      suspects.add(item);
      if (++item.strikes < 2) continue;
      remove(item);
      item.reject(new ParleyError("set_aside", "The connection broke twice right after this was sent"));
    }
  });
  connection.on("state", (state) => {
    if (state !== "closed") return;
    clearTimeout(timer);
    const error = connection.snapshot().error ?? new ParleyError("closed", "This client is closed");
    for (const queue of queues.values()) for (const item of queue) item.reject(error);
    queues.clear();
  });

  return {
    /** Resolves once it is stored. Rejects when the server refuses it for good. */
    add(event: StoredEvent, requestData: StoredRequest): Promise<SendData> {
      return new Promise((resolve, reject) => {
        if (connection.snapshot().state === "closed") return reject(new ParleyError("closed", "This client is closed"));
        const { room } = requestData;
        const item = { event, room, requestData, resolve, reject, sentAtMs: 0, refusals: 0, strikes: 0 };
        const queue = queues.get(room);
        if (queue) queue.push(item);
        else queues.set(room, [item]);
        pump();
      });
    },
  };
}
