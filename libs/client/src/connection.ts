import { type HelloData, mayReconnect, type RegisterData, type ServerEvent, type User } from "@parley/protocol";
import { backoffMs, resetAfterMs } from "./backoff.ts";
import { type CallOptions, createCalls, replyTimeoutMs } from "./call.ts";
import { ownCloseCodes } from "./close-codes.ts";
import { type CredentialsOptions, createCredentials } from "./credentials.ts";
import { createEmitter, type Unsubscribe } from "./emitter.ts";
import { ParleyError } from "./errors.ts";
import { type Link, openLink } from "./link.ts";
import { isOffline, onWakeUp } from "./network.ts";
import type { createTransports, Transport } from "./transports.ts";
import type { OpenWire } from "./wire.ts";

/**
 * - `connecting`: for the first time.
 * - `online`: registered; calls are answered.
 * - `draining`: still online, and about to change over to another node.
 * - `reconnecting`: calls and sends wait until it is back.
 * - `closed`: for good, by `close()` or by the server.
 */
export type ConnectionState = "connecting" | "online" | "draining" | "reconnecting" | "closed";

export interface ConnectionSnapshot {
  state: ConnectionState;
  /** As a WebSocket's: 0 connecting, 1 open, 3 closed. */
  readyState: 0 | 1 | 3;
  /** Who this client is; null until the first registration. */
  user: User | null;
  /** What the node that serves this client said first. */
  hello: HelloData | null;
  /** The way that is taken. */
  transport: Transport | null;
  /** Why the server closed it for good. */
  error: ParleyError | null;
  /** While reconnecting: when the next try is made, in milliseconds since 1970; null while one is under way. */
  nextTryAtMs: number | null;
}

export interface ConnectionOptions extends CredentialsOptions {
  transports: ReturnType<typeof createTransports>;
  openWire(transport: Transport): OpenWire;
  presence: "all" | "rooms" | "none";
}

/** What a registration brought; a tab that comes to one made earlier asks by itself who is here. */
export type Registered = Omit<RegisterData, "activeUsers"> & Partial<Pick<RegisterData, "activeUsers">>;

/** What the parts of the SDK that live on a connection hear from it. */
export interface ConnectionEvents {
  state: ConnectionState;
  /** Something in the snapshot changed. */
  change: undefined;
  /** A new link is registered; whatever the last one left open can go on. */
  online: Registered;
  /** The link ended. */
  offline: { code: number };
  event: ServerEvent;
}

export interface Connection {
  on<Name extends keyof ConnectionEvents>(name: Name, listener: (value: ConnectionEvents[Name]) => void): Unsubscribe;
  snapshot(): ConnectionSnapshot;
  isOnline(): boolean;
  /** Grows with each link that takes over: what was asked on an earlier one may not hold on this one. */
  era(): number;
  /** Connects for the first time; does nothing when that was begun. */
  open(): void;
  /** Resolves once registered; rejects once closed for good. */
  ready(): Promise<unknown>;
  /**
   * Asks, and asks again after a reconnection or a retryable refusal until the time is over.
   * Without `retry: false` only for events that may be repeated.
   */
  call<Data>(event: string, requestData?: unknown, options?: CallOptions): Promise<Data>;
  /** Asks once, now. Rejects with `disconnected` (retryable) when there is no connection or it ends. */
  request<Data>(event: string, requestData: unknown, timeoutMs?: number): Promise<Data>;
  /** Says goodbye, so that others see this user go at once, and ends; with `quietly` without the goodbye. */
  close(quietly?: boolean): Promise<void>;
}

const connectTimeoutMs = 10_000;
/** A way that has not greeted by then may be one that a proxy holds back. */
const greetingMs = 4_000;
const wakeUpReplyMs = 5_000;
/** How long an old link may still bring answers after a new one took over. */
const retireMs = 5_000;

const readyStateOf = (state: ConnectionState) =>
  state === "closed" ? 3 : state === "online" || state === "draining" ? 1 : 0;

/** As a connection is before its first try, and as a page rendered by a server has it. */
export const initialSnapshot: ConnectionSnapshot = {
  state: "connecting",
  readyState: 0,
  user: null,
  hello: null,
  transport: null,
  error: null,
  nextTryAtMs: null,
};

export function createConnection(options: ConnectionOptions, rooms: { resume(): Record<string, object> }): Connection {
  const { transports } = options;
  const events = createEmitter<ConnectionEvents>();
  const credentials = createCredentials(options, (token) => request("RefreshToken", { token }));
  let snapshot = initialSnapshot;
  /** The registered link, over which everything goes. */
  let current: Link | null = null;
  let currentSinceMs = 0;
  /** The link that is being opened, beside the current one while draining or upgrading. */
  let next: Link | null = null;
  let tries = 0;
  let notBeforeMs = 0;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let upgradeTimer: ReturnType<typeof setTimeout> | undefined;
  let leaving = false;
  let opened = false;
  let era = 0;

  function update(changes: Partial<ConnectionSnapshot>) {
    const before = snapshot.state;
    snapshot = { ...snapshot, ...changes };
    snapshot.readyState = readyStateOf(snapshot.state);
    events.emit("change", undefined);
    if (snapshot.state !== before) events.emit("state", snapshot.state);
  }

  function open(ways = transports.plan()) {
    clearTimeout(retryTimer);
    if (next || snapshot.state === "closed") return;
    // Its `online` event wakes this up.
    if (isOffline()) return;
    if (snapshot.nextTryAtMs !== null) update({ nextTryAtMs: null });
    const [way, ...others] = ways as [Transport, ...Transport[]];
    const early: ServerEvent[] = [];
    let greeted = false;
    const link = openLink(options.openWire(way), {
      onHello: (hello) => {
        greeted = true;
        clearTimeout(timer);
        timer = setTimeout(giveUp, connectTimeoutMs);
        void register(hello);
      },
      onEvent: (frame) => {
        if (link === current) receive(frame);
        else if (link === next) early.push(frame);
      },
      onClose: (code, reason) => {
        clearTimeout(timer);
        if (link === next) {
          next = null;
          if (!greeted) transports.failed(way);
          if (!greeted && others.length > 0) return open(others);
        } else if (link === current) {
          current = null;
          if (Date.now() - currentSinceMs >= resetAfterMs) tries = 0;
          events.emit("offline", { code });
        } else return;
        if (code === ownCloseCodes.tokenEnded) credentials.ended();
        if (mayReconnect(code)) retry(code);
        else end(leaving ? null : new ParleyError("closed", reason || `The server closed the connection (${code})`));
      },
    });
    const giveUp = () => link.close(4000);
    let timer = setTimeout(giveUp, others.length > 0 ? greetingMs : connectTimeoutMs);
    next = link;

    async function register(hello: HelloData) {
      try {
        const claim = await credentials.claim();
        const request = { ...claim, presence: options.presence, rooms: rooms.resume() };
        const data = await link.request<RegisterData>("Register", request, connectTimeoutMs);
        clearTimeout(timer);
        credentials.accepted(claim, data);
        takeOver(link, way, data, hello);
        for (const frame of early.splice(0)) receive(frame);
      } catch (error) {
        refused(link, error instanceof ParleyError ? error : new ParleyError("unavailable", String(error), true));
      }
    }
  }

  /** A registration failed: whether that is the end depends on what can be different the next time. */
  function refused(link: Link, error: ParleyError) {
    if (error.code === "disconnected" || link !== next) return;
    if (credentials.refused(error)) link.close(4000);
    else end(error);
  }

  function takeOver(link: Link, transport: Transport, data: RegisterData, hello: HelloData) {
    const old = current;
    current = link;
    era++;
    currentSinceMs = Date.now();
    next = null;
    notBeforeMs = 0;
    transports.worked(transport);
    if (old) retire(old);
    clearTimeout(upgradeTimer);
    if (transport !== transports.best) upgradeTimer = setTimeout(upgrade, transports.upgradeAfterMs());
    update({ state: "online", user: data.user, hello, transport, nextTryAtMs: null });
    events.emit("online", data);
  }

  /** Tries the best way beside the one that works, which is left only once the better one is registered. */
  function upgrade() {
    clearTimeout(upgradeTimer);
    if (snapshot.state === "online") open([transports.best]);
  }

  /** Lets the old link bring the answers that are under way. */
  function retire(link: Link, untilMs = Date.now() + retireMs) {
    if (link.waiting === 0 || Date.now() >= untilMs) link.close(1000);
    else setTimeout(retire, 50, link, untilMs);
  }

  function retry(code: number) {
    if (!current && snapshot.state !== "connecting") update({ state: "reconnecting" });
    if (next) return;
    if (current && snapshot.state === "online") {
      // An upgrade that failed.
      upgradeTimer = setTimeout(upgrade, transports.upgradeAfterMs());
      return;
    }
    const leastMs = code === ownCloseCodes.tooMany ? 10_000 : 0;
    const atMs = Math.max(Date.now() + Math.max(leastMs, backoffMs(tries++, Math.random())), notBeforeMs);
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => open(), atMs - Date.now());
    update({ nextTryAtMs: atMs });
  }

  function receive(frame: ServerEvent) {
    if (frame.event === "Drain") {
      const { reconnectAfterMs } = frame.data as { reconnectAfterMs: number };
      // The new link registers before this one is left, so that nothing is noticed.
      notBeforeMs = Date.now() + reconnectAfterMs;
      clearTimeout(retryTimer);
      retryTimer = setTimeout(() => open(), reconnectAfterMs);
      update({ state: "draining" });
    }
    events.emit("event", frame);
  }

  function end(error: ParleyError | null) {
    if (snapshot.state === "closed") return;
    clearTimeout(retryTimer);
    clearTimeout(upgradeTimer);
    credentials.stop();
    stopWatching();
    update({ state: "closed", error, nextTryAtMs: null });
    for (const link of [next, current]) link?.close(1000);
    next = current = null;
  }

  /** The network came or went, or the page is looked at again: what took long to notice is looked for now. */
  function wakeUp() {
    if (!opened || snapshot.state === "closed") return;
    current?.probe(wakeUpReplyMs);
    if (!current) open();
    else if (snapshot.transport !== transports.best) upgrade();
  }

  function request<Data>(event: string, requestData: unknown, timeoutMs = replyTimeoutMs): Promise<Data> {
    if (current) return current.request<Data>(event, requestData, timeoutMs);
    return Promise.reject(ParleyError.disconnected());
  }

  const isOnline = () => current !== null;
  const calls = createCalls({ on: events.on, snapshot: () => snapshot, isOnline, request });
  const stopWatching = onWakeUp(wakeUp);

  return {
    on: events.on,
    snapshot: () => snapshot,
    isOnline,
    era: () => era,
    open() {
      if (opened) return;
      opened = true;
      open();
    },
    ...calls,
    request,
    async close(quietly = false) {
      leaving = true;
      if (!quietly) await current?.request("Unregister", undefined, 2_000).catch(() => {});
      end(null);
    },
  };
}
