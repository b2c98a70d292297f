import { type HelloData, mayReconnect, type RegisterData, type ServerEvent, type User } from "@parley/protocol";
import { backoffMs, resetAfterMs } from "./backoff.ts";
import { createEmitter } from "./emitter.ts";
import { ParleyError } from "./errors.ts";
import type { GuestToken } from "./guest-token.ts";
import { type Link, openLink } from "./link.ts";
import { isOffline, onNetworkBack } from "./network.ts";

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
  /** Why the server closed it for good. */
  error: ParleyError | null;
  /** While reconnecting: when the next try is made, in milliseconds since 1970; null while one is under way. */
  nextTryAtMs: number | null;
}

export interface CallOptions {
  /** How long to try, reconnections included. 30 s unless given. */
  timeoutMs?: number;
  /** False for what must not happen twice: asked once a connection is there, and never again. */
  retry?: boolean;
}

export interface ConnectionOptions {
  url: string;
  WebSocket: typeof WebSocket;
  guest: { name?: string } | null;
  token: string | (() => string | Promise<string>) | null;
  guestToken: GuestToken;
  presence: "all" | "rooms" | "none";
}

/** What the parts of the SDK that live on a connection hear from it. */
interface ConnectionEvents {
  state: ConnectionState;
  /** Something in the snapshot changed. */
  change: undefined;
  /** A new link is registered; whatever the last one left open can go on. */
  online: RegisterData;
  /** The link ended. */
  offline: { code: number };
  event: ServerEvent;
}

const connectTimeoutMs = 10_000;
const replyTimeoutMs = 20_000;
/** How long an old link may still bring answers after a new one took over. */
const retireMs = 5_000;

export type Connection = ReturnType<typeof createConnection>;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export function createConnection(options: ConnectionOptions, rooms: { resume(): Record<string, object> }) {
  const events = createEmitter<ConnectionEvents>();
  let snapshot: ConnectionSnapshot = {
    state: "connecting",
    readyState: 0,
    user: null,
    hello: null,
    error: null,
    nextTryAtMs: null,
  };
  /** The registered link, over which everything goes. */
  let current: Link | null = null;
  let currentSinceMs = 0;
  /** The link that is being opened, beside the current one while draining. */
  let next: Link | null = null;
  let tries = 0;
  let notBeforeMs = 0;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let awaitsNetwork = false;
  let leaving = false;
  let opened = false;
  /** Grows with each link that takes over: what was asked on an earlier one may not hold on this one. */
  let era = 0;

  function update(changes: Partial<ConnectionSnapshot>) {
    const before = snapshot.state;
    snapshot = { ...snapshot, ...changes };
    const { state } = snapshot;
    snapshot.readyState = state === "closed" ? 3 : state === "online" || state === "draining" ? 1 : 0;
    events.emit("change", undefined);
    if (state !== before) events.emit("state", state);
  }

  async function registration() {
    const { guest, presence } = options;
    const token = typeof options.token === "function" ? await options.token() : options.token;
    const known = token ?? options.guestToken.get();
    return { ...(known ? { token: known } : { guest: true, name: guest?.name }), presence, rooms: rooms.resume() };
  }

  function open() {
    clearTimeout(retryTimer);
    if (next || snapshot.state === "closed") return;
    awaitsNetwork = isOffline();
    if (awaitsNetwork) return;
    update({ nextTryAtMs: null });
    const early: ServerEvent[] = [];
    let hello: HelloData | null = null;
    const link = openLink(options.url, options.WebSocket, {
      onOpen: () => void register(),
      onHello: (value) => {
        hello = value;
      },
      onEvent: (frame) => {
        if (link === current) receive(frame);
        else if (link === next) early.push(frame);
      },
      onClose: (code, reason) => {
        clearTimeout(timer);
        if (link === next) next = null;
        else if (link !== current) return;
        else {
          current = null;
          if (Date.now() - currentSinceMs >= resetAfterMs) tries = 0;
          events.emit("offline", { code });
        }
        if (mayReconnect(code)) retry(code);
        else end(leaving ? null : new ParleyError("closed", reason || `The server closed the connection (${code})`));
      },
    });
    const timer = setTimeout(() => link.close(4000, "gave up waiting"), connectTimeoutMs);
    next = link;

    async function register() {
      try {
        const request = await registration();
        const data = await link.request<RegisterData>("Register", request, connectTimeoutMs);
        clearTimeout(timer);
        if (data.token) options.guestToken.set(data.token);
        takeOver(link, data, hello);
        for (const frame of early.splice(0)) receive(frame);
      } catch (error) {
        refused(link, error instanceof ParleyError ? error : new ParleyError("unauthorized", String(error), true));
      }
    }
  }

  /** A registration failed: whether that is the end depends on what can be different the next time. */
  function refused(link: Link, error: ParleyError) {
    if (error.code === "disconnected" || link !== next) return;
    const staleGuest = error.code === "unauthorized" && !options.token && options.guestToken.get() !== null;
    if (staleGuest) options.guestToken.forget();
    if (error.retryable || staleGuest) link.close(4000, "registration failed");
    else end(error);
  }

  function takeOver(link: Link, data: RegisterData, hello: HelloData | null) {
    const old = current;
    current = link;
    era++;
    currentSinceMs = Date.now();
    next = null;
    notBeforeMs = 0;
    if (old) retire(old);
    update({ state: "online", user: data.user, hello, nextTryAtMs: null });
    events.emit("online", data);
  }

  /** Lets the old link bring the answers that are under way. */
  function retire(link: Link, untilMs = Date.now() + retireMs) {
    if (link.waiting === 0 || Date.now() >= untilMs) link.close(1000, "moved");
    else setTimeout(retire, 50, link, untilMs);
  }

  function retry(code: number) {
    if (!current && snapshot.state !== "connecting") update({ state: "reconnecting" });
    if (next) return;
    const leastMs = code === 4006 ? 10_000 : 0;
    const atMs = Math.max(Date.now() + Math.max(leastMs, backoffMs(tries++, Math.random())), notBeforeMs);
    clearTimeout(retryTimer);
    retryTimer = setTimeout(open, atMs - Date.now());
    update({ nextTryAtMs: atMs });
  }

  function receive(frame: ServerEvent) {
    if (frame.event === "Drain") {
      const { reconnectAfterMs } = frame.data as { reconnectAfterMs: number };
      // The new link registers before this one is left, so that nothing is noticed.
      notBeforeMs = Date.now() + reconnectAfterMs;
      clearTimeout(retryTimer);
      retryTimer = setTimeout(open, reconnectAfterMs);
      update({ state: "draining" });
    }
    events.emit("event", frame);
  }

  function end(error: ParleyError | null) {
    if (snapshot.state === "closed") return;
    clearTimeout(retryTimer);
    stopWatching();
    update({ state: "closed", error, nextTryAtMs: null });
    for (const link of [next, current]) link?.close(1000, "closed");
    next = current = null;
  }

  function networkIsBack() {
    if (opened && (awaitsNetwork || snapshot.state === "reconnecting" || snapshot.state === "connecting")) open();
  }

  /** Resolves with the registered link, as soon as there is one. */
  function online(timeoutMs: number): Promise<Link> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (!current && snapshot.state !== "closed") return;
        clearTimeout(timer);
        stop();
        if (current) resolve(current);
        else reject(snapshot.error ?? new ParleyError("closed", "This client is closed"));
      };
      const stop = events.on("state", settle);
      const timer = setTimeout(() => {
        stop();
        reject(new ParleyError("timeout", "Not connected", true));
      }, timeoutMs);
      settle();
    });
  }

  /**
   * Asks, and asks again after a reconnection or a retryable refusal until the time is over.
   * Without `retry: false` only for events that may be repeated.
   */
  async function call<Data>(event: string, requestData: unknown, options: CallOptions = {}) {
    const { timeoutMs = 30_000, retry = true } = options;
    const untilMs = Date.now() + timeoutMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const link = await online(untilMs - Date.now());
        return await link.request<Data>(event, requestData, Math.min(replyTimeoutMs, untilMs - Date.now()));
      } catch (error) {
        if (!(error instanceof ParleyError) || !error.retryable || !retry) throw error;
        const waitMs = error.code === "disconnected" ? 0 : Math.max(error.retryAfterMs ?? 0, backoffMs(attempt, 1));
        if (Date.now() + waitMs >= untilMs) throw error;
        await pause(waitMs);
      }
    }
  }

  const stopWatching = onNetworkBack(networkIsBack);

  return {
    /** Connects for the first time; does nothing when that was begun. */
    open() {
      if (opened) return;
      opened = true;
      open();
    },
    on: events.on,
    snapshot: () => snapshot,
    isOnline: () => current !== null,
    era: () => era,
    ready: () => online(2 ** 31 - 1),
    call,
    /** Asks once, now. Rejects with `disconnected` (retryable) when there is no connection or it ends. */
    request<Data>(event: string, requestData: unknown): Promise<Data> {
      if (current) return current.request<Data>(event, requestData, replyTimeoutMs);
      return Promise.reject(new ParleyError("disconnected", "Not connected", true));
    },
    /** Says goodbye, so that others see this user go at once, and ends. */
    async close(): Promise<void> {
      leaving = true;
      await current?.request("Unregister", undefined, 2_000).catch(() => {});
      end(null);
    },
  };
}
