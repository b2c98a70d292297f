import type { Reply, ServerEvent } from "@parley/protocol";
import { WebSocket } from "ws";
import { waitFor } from "./wait-for.ts";

/** A bare client that speaks the protocol's JSON frames and keeps all it hears; the SDK is tested elsewhere. */
export interface TestClient {
  socket: WebSocket;
  /** Every server event so far, oldest first, `Hello` included. */
  events: readonly ServerEvent[];
  /** Sends a client event and resolves with its reply, whether success or not. Rejects when the connection ends before. */
  send(event: string, requestData?: unknown): Promise<Reply>;
  /** As `send`, but gives the reply's data and rejects when the reply is an error. */
  request<Data = Record<string, unknown>>(event: string, requestData?: unknown): Promise<Data>;
  /** Registers as a guest and gives the reply's data. */
  registerGuest(name?: string): Promise<{ user: { id: string; name: string }; token: string }>;
  /** Sends text or bytes as they are, with no reply awaited. */
  sendRaw(frame: string | Buffer): void;
  /** The first event, already here or still to come, that the condition is true of. */
  waitForEvent(name: string, condition?: (event: ServerEvent) => boolean, timeoutMs?: number): Promise<ServerEvent>;
  /** Resolves when the connection has ended, however it did. */
  closed: Promise<{ code: number; reason: string }>;
  /** Closes with 1000 and waits for the end. */
  close(): Promise<void>;
}

/** Connects to `url`, as in `${stack.wsUrl()}/ws`; resolves once `Hello` is here. */
export async function connectTestClient(url: string): Promise<TestClient> {
  const socket = new WebSocket(url, "parley.v1.json");
  const events: ServerEvent[] = [];
  const waiting = new Map<string, { resolve(reply: Reply): void; reject(error: Error): void }>();
  let lastRequestId = 0;

  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once("close", (code, reason) => {
      const end = { code, reason: reason.toString() };
      for (const { reject } of waiting.values())
        reject(new Error(`closed with ${code} ${end.reason} before the reply`));
      waiting.clear();
      resolve(end);
    });
  });
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as Reply | ServerEvent;
    if (frame.eventType === "ServerEvent") {
      events.push(frame);
      return;
    }
    const requestId = String(frame.requestId);
    waiting.get(requestId)?.resolve(frame);
    waiting.delete(requestId);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  // Later errors end in a close, which is what tests look at.
  socket.on("error", () => {});

  const client: TestClient = {
    socket,
    events,
    send(event, requestData) {
      lastRequestId += 1;
      const requestId = String(lastRequestId);
      return new Promise((resolve, reject) => {
        waiting.set(requestId, { resolve, reject });
        socket.send(JSON.stringify({ eventType: "ClientEvent", event, requestId, requestData }), (error) => {
          if (!error) return;
          waiting.delete(requestId);
          reject(error);
        });
      });
    },
    async request(event, requestData) {
      const reply = await client.send(event, requestData);
      if (!reply.success) throw new Error(`${event} was refused: ${reply.code} ${reply.error}`);
      return reply.data as never;
    },
    registerGuest: (name) => client.request("Register", { guest: true, name }),
    sendRaw: (frame) => socket.send(frame),
    waitForEvent: (name, condition = () => true, timeoutMs = 10_000) =>
      waitFor(`the server event ${name}`, () => events.find((event) => event.event === name && condition(event)), {
        timeoutMs,
      }),
    closed,
    async close() {
      socket.close(1000);
      await closed;
    },
  };
  await client.waitForEvent("Hello");
  return client;
}
