import { setTimeout as sleep } from "node:timers/promises";
import type { Reply, ServerEvent } from "@parley/protocol";
import { WebSocket } from "ws";
import type { Teardown } from "../support/teardown.ts";

export type Send = (event: string, requestData?: unknown) => Promise<Reply>;

export interface ReturningClientOptions {
  /** The gateways' `ws://…/ws`, tried in turn: a client whose gateway died goes to the next one. */
  urls: readonly string[];
  /** What `Register` resumes. */
  rooms?(): Record<string, { since: number; epoch?: string }>;
  /** Sees `Register`'s data before any event that came behind it. When it rejects, the client connects anew. */
  onRegistered?(data: Record<string, unknown>, send: Send): Promise<void>;
  onEvent?(event: ServerEvent): void;
}

/** A client of the bare protocol that comes back, as the same guest, whenever its connection ends. */
export interface ReturningClient {
  /** Rejects when the connection ends before the reply, or is not there now. */
  send: Send;
  /** Resolves once registered, at once when that is so now. */
  online(): Promise<void>;
  /** How often it has registered so far. */
  connections(): number;
  /** How its connections ended, oldest first. */
  closeCodes: readonly number[];
  /** Stops reading from the network until `resume`. */
  pause(): void;
  resume(): void;
}

const returnAfterMs = 50;

/** Ends with the test. */
export function startReturningClient(teardown: Teardown, options: ReturningClientOptions): ReturningClient {
  const { urls } = options;
  const closeCodes: number[] = [];
  let token: string | null = null;
  let connections = 0;
  let ended = false;
  let socket: WebSocket | null = null;
  let send: Send = () => Promise.reject(new Error("not connected"));
  let online = Promise.withResolvers<void>();

  const connectOnce = async (url: string) => {
    const own = new WebSocket(url, "parley.v1.json");
    socket = own;
    const waiting = new Map<string, PromiseWithResolvers<Reply>>();
    let held: ServerEvent[] | null = [];
    let lastRequestId = 0;
    const closed = new Promise<number>((resolve) => own.once("close", resolve));
    // An error ends in a close.
    own.on("error", () => {});
    own.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Reply | ServerEvent;
      if (frame.eventType === "ServerEvent") {
        if (held) held.push(frame);
        else options.onEvent?.(frame);
        return;
      }
      waiting.get(String(frame.requestId))?.resolve(frame);
      waiting.delete(String(frame.requestId));
    });
    const ownSend: Send = (event, requestData) => {
      const requestId = String(++lastRequestId);
      const reply = Promise.withResolvers<Reply>();
      if (own.readyState !== WebSocket.OPEN) return Promise.reject(new Error("not connected"));
      waiting.set(requestId, reply);
      own.send(JSON.stringify({ event, requestId, requestData }));
      return reply.promise;
    };
    const register = async () => {
      const who = token === null ? { guest: true } : { token };
      const reply = await ownSend("Register", { ...who, rooms: options.rooms?.() });
      if (!reply.success) throw new Error(`Register was refused: ${reply.code} ${reply.error}`);
      const data = reply.data as Record<string, unknown>;
      token ??= data.token as string;
      await options.onRegistered?.(data, ownSend);
      for (const event of held ?? []) options.onEvent?.(event);
      held = null;
      connections++;
      send = ownSend;
      online.resolve();
    };
    own.once("open", () => register().catch(() => own.terminate()));
    closeCodes.push(await closed);
    for (const { reject } of waiting.values()) reject(new Error("the connection ended before the reply"));
    // Who waits since before this connection goes on waiting.
    if (send === ownSend) online = Promise.withResolvers<void>();
  };

  const stayConnected = async () => {
    for (let attempt = 0; !ended; attempt++) {
      await connectOnce(urls[attempt % urls.length]!);
      await sleep(returnAfterMs);
    }
  };
  const staying = stayConnected();
  teardown.after(async () => {
    ended = true;
    socket?.terminate();
    await staying;
  });

  return {
    send: (event, requestData) => send(event, requestData),
    online: () => online.promise,
    connections: () => connections,
    closeCodes,
    pause: () => socket?.pause(),
    resume: () => socket?.resume(),
  };
}
