import { connect, type NatsConnection } from "@nats-io/transport-node";

export interface Bus {
  nc: NatsConnection;
  /** Whether NATS can be reached now. */
  isConnected(): boolean;
  /** Called each time the connection was lost and is back. */
  onReconnect(listener: () => void): void;
  onDisconnect(listener: () => void): void;
  /**
   * Publishes at the end of this turn of the event loop, with all else that the turn has for NATS: the client writes to
   * its socket after every microtask, and a write of several costs little more than one. Order is kept.
   */
  publish(subject: string, payload: Uint8Array | string, reply?: string): void;
  /** Sends what waits, then closes. */
  close(): Promise<void>;
}

/**
 * Connects and stays connected: reconnects for ever, every 250 ms or so.
 * Rejects when NATS can't be reached at all within `waitMs`.
 */
export async function connectBus(options: { url: string; name: string; waitMs?: number }): Promise<Bus> {
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
      });
    } catch (error) {
      if (Date.now() > endsAt)
        throw new Error(`NATS can't be reached at ${options.url}: is it running, is NATS_URL right?`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const connection = nc;
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
      }
    }
  })();
  let outbox: [subject: string, payload: Uint8Array | string, reply: string | undefined][] = [];
  const sendOutbox = () => {
    const waiting = outbox;
    outbox = [];
    if (connection.isClosed()) return;
    for (const [subject, payload, reply] of waiting)
      connection.publish(subject, payload, reply ? { reply } : undefined);
  };
  return {
    nc: connection,
    publish: (subject, payload, reply) => {
      if (outbox.push([subject, payload, reply]) === 1) setImmediate(sendOutbox);
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
