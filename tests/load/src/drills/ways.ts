/** One listener by each way in, which hears messages and can send them. */
import type { ServerEvent } from "@parley/protocol";
import { io } from "socket.io-client";
import { beginFallback } from "../../../support/fallback-client.ts";
import { connectTestClient } from "../../../support/websocket-client.ts";

export const ways = ["WebSocket", "Socket.IO", "Socket.IO polling", "SSE", "long poll"] as const;
export type Way = (typeof ways)[number];

export interface Visitor {
  /** Resolves once the message is acknowledged. */
  send(text: string, clientMessageId: string): Promise<void>;
  close(): Promise<void> | void;
}

type Heard = (text: string) => void;

const textOf = (event: { data?: unknown }): string => (event.data as { text: string }).text;
const registration = { guest: true, presence: "none" };

const openers: { [way in Way]: (base: string, room: string, heard: Heard) => Promise<Visitor> } = {
  WebSocket: async (base, room, heard) => {
    const client = await connectTestClient(`${base.replace("http", "ws")}/ws`);
    client.socket.on("message", (data) => {
      const event = JSON.parse(String(data)) as ServerEvent;
      if (event.event === "message") heard(textOf(event));
    });
    await client.request("Register", registration);
    await client.request("JoinRoom", { room });
    const send = async (text: string, clientMessageId: string) =>
      void (await client.request("SendMessage", { room, clientMessageId, text }));
    return { send, close: client.close };
  },
  "Socket.IO": (base, room, heard) => openSocketIo("websocket", base, room, heard),
  "Socket.IO polling": (base, room, heard) => openSocketIo("polling", base, room, heard),
  SSE: (base, room, heard) => openFallback("stream", base, room, heard),
  "long poll": (base, room, heard) => openFallback("poll", base, room, heard),
};

async function openSocketIo(transport: string, base: string, room: string, heard: Heard): Promise<Visitor> {
  const socket = io(base, { forceNew: true, transports: [transport], auth: { presence: "none" } });
  socket.on("message", (event: ServerEvent) => heard(textOf(event)));
  const request = async (event: string, requestData: object) => {
    const reply = await socket.timeout(20_000).emitWithAck(event, requestData);
    if (!reply.success) throw new Error(`${event} was refused: ${reply.error}`);
  };
  await request("JoinRoom", { room });
  return {
    send: (text, clientMessageId) => request("SendMessage", { room, clientMessageId, text }),
    close: () => void socket.disconnect(),
  };
}

async function openFallback(how: "stream" | "poll", base: string, room: string, heard: Heard): Promise<Visitor> {
  const client = await beginFallback(base, ({ frame }) => {
    if (frame.event === "message") heard(textOf(frame));
  });
  let over = false;
  const poll = async () => {
    while (!over) await client.poll(base);
  };
  const stream = how === "stream" ? await client.stream(base) : null;
  const polling = how === "poll" ? poll().catch(() => {}) : null;
  const request = async (event: string, requestData: object) => {
    const reply = await client.request(base, event, requestData);
    if (!reply.success) throw new Error(`${event} was refused: ${reply.error}`);
  };
  await request("Register", registration);
  await request("JoinRoom", { room });
  return {
    send: (text, clientMessageId) => request("SendMessage", { room, clientMessageId, text }),
    async close() {
      over = true;
      await client.call(base, "", { method: "DELETE" });
      await stream?.ended;
      await polling;
    },
  };
}

/** Resolves once it has joined. */
export const openWay = (way: Way, base: string, room: string, heard: Heard): Promise<Visitor> =>
  openers[way](base, room, heard);
