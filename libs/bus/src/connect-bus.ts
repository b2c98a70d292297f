import { readFileSync } from "node:fs";
import { connect, createInbox, type NatsConnection } from "@nats-io/transport-node";
import { type BusTracing, headersOf } from "./bus-tracing.ts";
import type { BusRole } from "./permissions.ts";
import { inboxPrefix } from "./subjects.ts";

export interface Bus {
  nc: NatsConnection;
  /** Null where nothing is traced. */
  tracing: BusTracing | null;
  /** A new subject of this service's own, to which others may answer. */
  inbox(): string;
  /** Whether NATS can be reached now. */
  isConnected(): boolean;
  /** Called each time the connection was lost and is back. */
  onReconnect(listener: () => void): void;
  onDisconnect(listener: () => void): void;
  /**
   * Publishes at the end of this turn of the event loop, with all else that the turn has for NATS: the client writes to
   * its socket after every microtask, and a write of several costs little more than one. Order is kept.
   */
  publish(subject: string, payload: Uint8Array | string, reply?: string, traceparent?: string): void;
  /** Sends what waits, then closes. */
  close(): Promise<void>;
}

export interface BusOptions {
  /** Comma-separated; `tls://` for TLS. */
  url: string;
  /** Which service's inboxes and permissions this connection has. */
  role: BusRole;
  /** How NATS shows the connection. */
  name: string;
  user?: string;
  password?: string;
  /** Files (PEM): the authority that signed the server's certificate, and this service's own certificate and key. */
  tls?: { caFile?: string; certFile?: string; keyFile?: string };
  waitMs?: number;
  tracing?: BusTracing | null;
  /** What the server refuses, such as a subject that is not permitted; a message that can't be read. */
  onError?: (error: Error) => void;
}

/**
 * A callback that throws, at a message it can't read, ends the client's reader, and with it the connection for good: whoever
 * may publish anything at all could cut others off. It costs that message instead.
 */
function guardCallbacks(nc: NatsConnection, onError: (error: Error) => void): void {
  const subscribe = nc.subscribe.bind(nc);
  nc.subscribe = (subject, options) => {
    const callback = options?.callback;
    if (!callback) return subscribe(subject, options);
    return subscribe(subject, {
      ...options,
      callback: (error, msg) => {
        try {
          callback(error, msg);
        } catch (cause) {
          onError(new Error(`A message on ${subject} could not be taken`, { cause }));
        }
      },
    });
  };
}

/** Addresses without users and passwords, fit for a log. */
const withoutSecrets = (url: string): string => url.replace(/[^/,@]*@/g, "");

/**
 * Connects and stays connected: reconnects for ever, every 250 ms or so.
 * Rejects when NATS can't be reached at all within `waitMs`.
 */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const { caFile, certFile, keyFile } = options.tls ?? {};
  // Read here: a file that is missing is said at once, with its name.
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, "utf8"));
  const tls = { ca: file(caFile), cert: file(certFile), key: file(keyFile) };
  const withTls = Object.values(tls).some((text) => text !== undefined) || /(^|,)tls:/.test(options.url);
  const endsAt = Date.now() + (options.waitMs ?? 10_000);
  let nc: NatsConnection | null = null;
  while (nc === null) {
    try {
      nc = await connect({
        servers: options.url.split(","),
        name: options.name,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 100,
        pingInterval: 5_000,
        maxPingOut: 2,
        ignoreAuthErrorAbort: true,
        inboxPrefix: inboxPrefix(options.role),
        ...(options.user === undefined ? {} : { user: options.user, pass: options.password ?? "" }),
        ...(withTls ? { tls } : {}),
      });
    } catch (error) {
      if (Date.now() > endsAt)
        throw new Error(
          `NATS can't be reached at ${withoutSecrets(options.url)}: is it running, are NATS_URL, NATS_USER and NATS_PASSWORD right? (${(error as Error).message})`,
          { cause: error },
        );
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const connection = nc;
  guardCallbacks(connection, (error) => options.onError?.(error));
  const back: (() => void)[] = [];
  const lost: (() => void)[] = [];
  let connected = true;
  void (async () => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        connected = false;
        for (const listener of lost) listener();
      } else if (status.type === "reconnect") {
        connected = true;
        for (const listener of back) listener();
      } else if (status.type === "error") options.onError?.(status.error);
    }
  })();
  let outbox: [
    subject: string,
    payload: Uint8Array | string,
    reply: string | undefined,
    traceparent: string | undefined,
  ][] = [];
  const sendOutbox = () => {
    const waiting = outbox;
    outbox = [];
    if (connection.isClosed()) return;
    for (const [subject, payload, reply, traceparent] of waiting) {
      if (traceparent) connection.publish(subject, payload, { reply, headers: headersOf(traceparent) });
      else connection.publish(subject, payload, reply ? { reply } : undefined);
    }
  };
  return {
    nc: connection,
    inbox: () => createInbox(inboxPrefix(options.role)),
    tracing: options.tracing ?? null,
    publish: (subject, payload, reply, traceparent) => {
      if (outbox.push([subject, payload, reply, traceparent]) === 1) setImmediate(sendOutbox);
    },
    isConnected: () => connected && !connection.isClosed(),
    onReconnect: (listener) => void back.push(listener),
    onDisconnect: (listener) => void lost.push(listener),
    close: async () => {
      if (connection.isClosed()) return;
      sendOutbox();
      // Draining waits for the server, which may be gone: then closing is all that is left.
      await Promise.race([connection.drain().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2_000))]);
      await connection.close();
    },
  };
}
