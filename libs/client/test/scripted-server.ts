/** A server, on a free port unless told, that speaks as much of docs/protocol.md as the SDK's own tests need, and misbehaves to order. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type Entry, limits, type ServerEvent } from "@parley/protocol";
import { type WebSocket, WebSocketServer } from "ws";

interface Fields {
  room: string;
  [field: string]: unknown;
}

export interface Asked {
  event: string;
  requestId: string;
  requestData: Fields;
}

/** What an event is answered: data, a refusal, or nothing at all. */
export type Answer = object | { refuse: string; retryable?: boolean; retryAfterMs?: number } | null;

interface ScriptedRoom {
  epoch: string;
  entries: Entry[];
  listeners: Set<WebSocket>;
}

export type ScriptedServer = Awaited<ReturnType<typeof startScriptedServer>>;

export async function startScriptedServer(port = 0) {
  const server = new WebSocketServer({ port, host: "127.0.0.1", perMessageDeflate: false });
  await once(server, "listening");
  const rooms = new Map<string, ScriptedRoom>();
  const asked: Asked[] = [];
  /** Ids of what was refused and may come again: what names one of them as the one before it is refused as well. */
  const refused = new Set<string>();
  const users = new Map<WebSocket, { id: string; name: string; guest: boolean }>();
  let guests = 0;
  /** Looks at each event first; `undefined` leaves it to the server. */
  let script: (asked: Asked, socket: WebSocket) => Answer | undefined = () => undefined;

  function roomOf(name: string): ScriptedRoom {
    const room = rooms.get(name) ?? { epoch: "e1", entries: [], listeners: new Set() };
    rooms.set(name, room);
    return room;
  }

  const tell = (socket: WebSocket, frame: Omit<ServerEvent, "eventType">) =>
    socket.send(JSON.stringify({ eventType: "ServerEvent", ...frame }));

  function append(name: string, entry: Omit<Entry, "seq" | "at">, listeners = roomOf(name).listeners): Entry {
    const { entries } = roomOf(name);
    const whole: Entry = { ...entry, seq: entries.length + 1, at: new Date().toISOString() };
    entries.push(whole);
    const event = whole.kind === "message" ? "message" : `message.${whole.kind}`;
    for (const socket of listeners) tell(socket, { event, room: name, seq: whole.seq, data: whole });
    return whole;
  }

  function join(socket: WebSocket, name: string, since: number | null, epoch: string | null) {
    const room = roomOf(name);
    const head = room.entries.length;
    const recovered = since === null || ((epoch ?? room.epoch) === room.epoch && since <= head);
    const missed = recovered && since !== null ? room.entries.slice(since, since + limits.entriesPerAnswer) : [];
    room.listeners.add(socket);
    const truncated = recovered && since !== null && since + missed.length < head;
    return { room: name, head, epoch: room.epoch, role: "member", members: 1, recovered, missed, truncated };
  }

  function store(socket: WebSocket, event: string, data: Fields) {
    const kinds = {
      SendMessage: "message",
      EditMessage: "edited",
      DeleteMessage: "deleted",
      React: "reacted",
    } as const;
    const { room, clientMessageId, ...fields } = data;
    const sender = users.get(socket)!;
    const known = roomOf(room).entries.find(
      (entry) => entry.clientMessageId === clientMessageId && entry.sender.id === sender.id,
    );
    const entry =
      known ??
      append(room, {
        kind: kinds[event as keyof typeof kinds],
        sender,
        clientMessageId: clientMessageId as string,
        text: null,
        data: null,
        replyTo: null,
        ...fields,
      });
    return { room, seq: entry.seq, at: entry.at, duplicate: known !== undefined };
  }

  function answer(socket: WebSocket, { event, requestData: data }: Asked): Answer {
    const room = data?.room;
    switch (event) {
      case "Register": {
        const { token, name, rooms: resumed = {} } = data as { token?: string; name?: string; rooms?: Fields };
        const user = {
          id: token?.slice("token-of-".length) ?? `guest-${++guests}`,
          name: name ?? "Guest",
          guest: true,
        };
        users.set(socket, user);
        const joined = Object.entries(resumed as Record<string, { since: number; epoch: string }>).map(
          ([name, { since, epoch }]) => [name, join(socket, name, since, epoch)],
        );
        return { user, token: `token-of-${user.id}`, rooms: Object.fromEntries(joined) };
      }
      case "JoinRoom":
        return join(socket, room, (data.since as number) ?? null, (data.epoch as string) ?? null);
      case "LeaveRoom":
        roomOf(room).listeners.delete(socket);
        return {};
      case "History": {
        const { entries, epoch } = roomOf(room);
        const limit = (data.limit as number) ?? 50;
        const after = data.after as number | undefined;
        const before = (data.before as number | undefined) ?? entries.length + 1;
        const page =
          after === undefined
            ? entries.filter((entry) => entry.seq < before).slice(-limit)
            : entries.filter((entry) => entry.seq > after).slice(0, limit);
        const more = after === undefined ? (page[0]?.seq ?? 1) > 1 : (page.at(-1)?.seq ?? 0) < entries.length;
        return { room, entries: page, head: entries.length, epoch, more };
      }
      case "Rooms":
        return { rooms: [], next: null };
      case "MarkRead":
        return { room, seq: data.seq, unread: 0 };
      case "SendMessage":
      case "EditMessage":
      case "DeleteMessage":
      case "React":
        return store(socket, event, data);
      default:
        return {};
    }
  }

  function inOrder({ requestData }: Asked): Answer | undefined {
    if (!requestData?.clientMessageId) return undefined;
    if (refused.has(requestData.after as string)) return { refuse: "unavailable", retryable: true };
    refused.delete(requestData.clientMessageId as string);
    return undefined;
  }

  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const room of rooms.values()) room.listeners.delete(socket);
    });
    socket.on("message", (bytes) => {
      const request = JSON.parse(String(bytes)) as Asked;
      asked.push(request);
      const scripted = script(request, socket);
      const data = inOrder(request) ?? (scripted === undefined ? answer(socket, request) : scripted);
      if (data !== null && "refuse" in data && data.retryable)
        refused.add(request.requestData.clientMessageId as string);
      if (data === null || socket.readyState !== socket.OPEN) return;
      const { event, requestId } = request;
      const refusal = "refuse" in data ? { ...data, code: data.refuse, error: `refused: ${data.refuse}` } : null;
      const outcome = refusal ? { success: false, data: null, ...refusal } : { success: true, data, error: null };
      socket.send(JSON.stringify({ eventType: "Reply", event, requestId, ...outcome }));
    });
    const hello = { message: "Hello!", session: "s", node: "n", heartbeatMs: 20_000, idleTimeoutMs: 30_000 };
    tell(socket, { event: "Hello", data: hello });
  });

  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`,
    /** All that was asked so far. */
    asked,
    entries: (room: string) => roomOf(room).entries,
    resetRoom(name: string, epoch: string) {
      rooms.set(name, { epoch, entries: [], listeners: new Set() });
    },
    setScript(next: typeof script) {
      script = next;
    },
    append(room: string, text: string, told = true) {
      const sender = { id: "other", name: "Other" };
      const entry = { kind: "message" as const, sender, text, data: null, replyTo: null, clientMessageId: text };
      return append(room, entry, told ? undefined : new Set());
    },
    tellAll(frame: Omit<ServerEvent, "eventType">) {
      for (const socket of server.clients) tell(socket, frame);
    },
    /** Ends every connection: with a close frame, or (1006) without one. */
    cut(code: number) {
      for (const socket of server.clients) code === 1006 ? socket.terminate() : socket.close(code);
    },
    connections: () => server.clients.size,
    async stop() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
