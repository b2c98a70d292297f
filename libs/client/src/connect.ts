import type { ServerEvent } from "@parley/protocol";
import type { CallOptions } from "./call.ts";
import { type ConnectionSnapshot, type ConnectionState, createConnection } from "./connection.ts";
import type { TokenProvider } from "./credentials.ts";
import { createEmitter, createStore, type Store, type Unsubscribe } from "./emitter.ts";
import { openFallback } from "./fallback-wire.ts";
import { createGuestToken, type TokenStorage } from "./guest-token.ts";
import { createMessageIds } from "./message-id.ts";
import { createMyRooms, type MyRooms } from "./my-rooms.ts";
import { createOutbox } from "./outbox.ts";
import type { OutboxStorage } from "./outbox-storage.ts";
import { createPresence, type Presence } from "./presence.ts";
import { createRoom, type Room, type RoomCore } from "./room.ts";
import { createSharedConnection } from "./shared-connection.ts";
import { canShare } from "./tab-channel.ts";
import { allTransports, createTransports, type Transport } from "./transports.ts";
import { openWebSocket } from "./websocket-wire.ts";

export interface ConnectOptions {
  /** Where the gateway is: `wss://chat.example.com/ws`. Its other ways in are found beside it. */
  url: string;
  /** Come as a guest (so without `token` too), by this name. */
  guest?: { name?: string };
  /** A user's token, or what gets one: asked at each connection, and again before the token's end. */
  token?: string | TokenProvider;
  /** Keeps a guest's token, so that the next visit is by the same guest, and the way that worked: `localStorage`, say. */
  storage?: TokenStorage;
  /** The key in `storage`; `parley.guest` unless given. */
  storageKey?: string;
  /** Whose presence to hear of; `rooms` (those who share a room) unless given. */
  presence?: "all" | "rooms" | "none";
  /** How many entries of a room to hold at least; 2,000 unless given. */
  keep?: number;
  /** Keeps what was written and not acknowledged yet, so that it survives a reload: `indexedDbOutbox()`, say. */
  outbox?: OutboxStorage;
  /** False: do nothing until `open()`, so that a server can render with this client. */
  open?: boolean;
  /**
   * Whether tabs of one browser share one connection, as they do unless told otherwise where Web Locks are and there is a
   * token or a storage, so that all of them are the same person. Where tabs may be of several people, give each person's
   * tabs a name.
   */
  tabs?: boolean | string;
  /** Ways to try, the best first; WebSocket, then server-sent events, then long polling unless given. */
  transports?: readonly Transport[];
  /** The WebSocket to use where there is no global one. */
  WebSocket?: typeof WebSocket;
}

export interface ParleyEvents {
  state: ConnectionState;
  /** Whatever the server tells, also events of the application's own names. */
  event: ServerEvent;
}

/** Whom an event is for. */
export type EmitTarget = { room: string } | { users: readonly string[] } | { all: true };

/** A connection to Parley that comes back by itself, and what is reached over it. */
export interface Parley extends Store<ConnectionSnapshot> {
  readonly state: ConnectionState;
  /** As a WebSocket's: 0 connecting, 1 open, 3 closed. */
  readonly readyState: 0 | 1 | 3;
  on<Name extends keyof ParleyEvents>(event: Name, listener: (value: ParleyEvents[Name]) => void): Unsubscribe;
  /** Connects, where `connect` was told not to; else it does nothing. */
  open(): void;
  /** Resolves once registered; rejects with ParleyError once closed for good. */
  ready(): Promise<void>;
  /** The room of this name; the same object each time. It does nothing until it is joined or sent to. */
  room(name: string): Room;
  /** The rooms this user is a member of, with what is unread. */
  readonly rooms: MyRooms;
  /** Who is here; how far it hears is the option `presence`. */
  readonly presence: Presence;
  /**
   * Sends any client event of the protocol and answers its reply's data. It is repeated after a reconnection or a
   * retryable refusal, for 30 s unless `timeoutMs` says otherwise; not with `retry: false`. Rejects with ParleyError.
   */
  call<Data>(event: string, requestData?: unknown, options?: CallOptions): Promise<Data>;
  /**
   * Sends an event of the application's own, at most once, to whom the token allows. Resolves with how many sessions
   * were reached; rejects with ParleyError.
   */
  emit(to: EmitTarget, event: string, data?: unknown): Promise<{ sessions: number }>;
  /** Says goodbye and ends for good. What was not acknowledged is rejected with `closed`. */
  close(): Promise<void>;
}

/** Of all `Register` may carry at once, this much goes into naming rooms; rooms beyond it are joined one by one. */
const resumeChars = 16_000;

/** Connects, and stays connected until `close()`. Returns at once; nothing has to wait for the connection. */
export function connect(options: ConnectOptions): Parley {
  const cores = new Map<string, RoomCore>();

  function resume() {
    const positions: Record<string, object> = {};
    let chars = 0;
    for (const [name, core] of cores) {
      const position = core.position();
      chars += name.length + 60;
      if (position && chars < resumeChars) positions[name] = position;
    }
    return positions;
  }

  const { url, storage, storageKey = "parley.guest" } = options;
  const fallbackUrl = url.replace(/^ws/, "http").replace(/\/ws\/?$/, "/fallback");
  const { tabs = Boolean(options.token || storage) } = options;
  const ways = createTransports(options.transports ?? allTransports, storage, `${storageKey}.transport`);
  const make = () =>
    createConnection(
      {
        transports: ways,
        openWire: (transport) => (hooks) =>
          transport === "websocket"
            ? openWebSocket(url, options.WebSocket ?? globalThis.WebSocket, hooks)
            : openFallback(transport, fallbackUrl, hooks),
        guest: options.guest ?? null,
        token: options.token ?? null,
        guestToken: createGuestToken(storage, storageKey),
        presence: options.presence ?? "rooms",
      },
      { resume },
    );
  const group = `parley ${url} ${storageKey} ${tabs}`;
  const connection = tabs && canShare() ? createSharedConnection(make, group) : make();
  const outbox = createOutbox(connection, options.outbox ?? null, (item, sent) => {
    if (item.event === "SendMessage") coreOf(item.requestData.room).restore(item, sent);
    else sent.catch(() => {});
  });
  const myRooms = createMyRooms(connection);
  const { presence, receive: receivePresence } = createPresence(connection);
  const parts = { connection, outbox, myRooms, messageId: createMessageIds(), keep: options.keep ?? 2_000 };
  const store = createStore(connection.snapshot);
  const events = createEmitter<ParleyEvents>();

  function coreOf(name: string): RoomCore {
    // As the server knows it, or its events would not be recognised.
    const known = name.normalize("NFC");
    let core = cores.get(known);
    if (!core) {
      core = createRoom(known, parts);
      cores.set(known, core);
    }
    return core;
  }

  connection.on("change", store.changed);
  connection.on("state", (state) => events.emit("state", state));
  connection.on("online", ({ rooms = {} }) => {
    for (const [name, core] of cores) core.online(rooms[name]);
  });
  connection.on("event", (frame) => {
    myRooms.receive(frame);
    receivePresence(frame);
    // Another tab may be in a room that this one never named: it is counted here as well.
    const core = frame.event === "message" ? coreOf(frame.room!) : cores.get(frame.room ?? "");
    core?.receive(frame);
    events.emit("event", frame);
  });

  if (options.open !== false) connection.open();

  return {
    get state() {
      return connection.snapshot().state;
    },
    get readyState() {
      return connection.snapshot().readyState;
    },
    on: events.on,
    subscribe: store.subscribe,
    snapshot: store.snapshot,
    ready: async () => void (await connection.ready()),
    room: (name) => coreOf(name).room,
    rooms: { subscribe: myRooms.subscribe, snapshot: myRooms.snapshot, get: myRooms.get },
    presence,
    open: connection.open,
    call: connection.call,
    emit: (to, event, data) => connection.call("Emit", { ...to, event, data }, { retry: false }),
    close: connection.close,
  };
}
