/** A gateway: no state but its live connections. */

import uws, {
  type HttpRequest,
  type HttpResponse,
  type us_listen_socket,
  type us_socket_context_t,
} from "uWebSockets.js";
import { randomBytes } from "node:crypto";
import {
  type Bus,
  type ChatAnswer,
  type ChatAsk,
  type ChatRequest,
  createRequester,
  decodeChatAnswer,
  decodeJsonAnswer,
  encodeChatRequest,
  encodeJsonRequest,
  type JsonAnswer,
  type NotifyRequest,
  type PresenceRequest,
  partitionOf,
  type TimerRequest,
  Unanswered,
  watchWorkers,
} from "@parley/bus";
import { checkRoomName, greeting, limits } from "@parley/protocol";
import { createTally, type Logger, type Metrics } from "@parley/service-kit";
import type { Authenticate } from "./authenticate.ts";
import type { ClientAddresses } from "./client-address.ts";
import { closeWhenAnswered, sendAway } from "./drain.ts";
import { createFallback } from "./fallback.ts";
import type { FallbackKeys } from "./fallback-keys.ts";
import { eventFrame } from "./frames.ts";
import { addGatewayMetrics } from "./gateway-metrics.ts";
import { createHub, type HubCounts, type HubRoom } from "./hub.ts";
import { createOrigins, foreignOriginError } from "./origins.ts";
import { loadPage } from "./page.ts";
import { createPeople } from "./people.ts";
import { createPresence } from "./presence.ts";
import { createPresenceAudience } from "./presence-audience.ts";
import { createPresenceReport } from "./presence-report.ts";
import { createConnectionLimit } from "./rate-limit.ts";
import { createRaw, createRawSeat } from "./raw.ts";
import { createRelay } from "./relay.ts";
import { createRevocations } from "./revocations.ts";
import { createRoomListeners, type Listener } from "./room-listeners.ts";
import { createRoomTimers } from "./room-timers.ts";
import type { Session, SessionEvents } from "./session.ts";
import { createSocketIo } from "./socket-io.ts";
import { createSpread } from "./spread.ts";
import { createTyping } from "./typing.ts";
import { createUserLimits } from "./user-limits.ts";
import { chooseSubprotocol, createSeat, createWebSocketBehavior, publishToRoom } from "./websocket.ts";

export interface GatewayOptions {
  bus: Bus;
  logger: Logger;
  metrics: Metrics;
  /** Id of this node, unique among the living. */
  node: string;
  host: string;
  /** 0: any. */
  port: number;
  authenticate: Authenticate;
  fallbackKeys: FallbackKeys;
  /** Origins whose pages may connect, besides this gateway's own; `*`: any. */
  allowedOrigins?: readonly string[];
  /** Whose timer Socket.IO clients speak to before they joined a room; "" for none. */
  lobby?: string;
  addresses: ClientAddresses;
  rawRooms: boolean;
  /** From so many online on, nobody hears of everyone. */
  presenceAllMax: number;
  /** Lifts the limits per session and per address. */
  loadTest: boolean;
  webDir: string | undefined;
  headsEveryMs?: number;
}

export interface GatewayStats extends HubCounts {
  sessions: number;
  registered: number;
  rooms: number;
  rawSockets: number;
  waitingForWorkers: number;
  slowDropped: number;
  /** Handshakes refused: too many, or draining. */
  connectionsRefused: number;
  originsRefused: number;
  sessionsEnded: number;
}

export interface Gateway {
  port: number;
  node: string;
  isReady(): boolean;
  stats(): GatewayStats;
  sessions(): Iterable<Session>;
  session(id: string): Session | undefined;
  /** Stops taking connections and lets those there are go, spread over `ms`; resolves when none is left. */
  drain(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** Why a connection may not be now, and when to try again. */
export interface ConnectionRefusal {
  error: string;
  retryAfterSeconds: number;
}

/** Presence is worth no long wait: its reports are said again anyway. */
const presenceGiveUpMs = 4_000;
const unlimited = 1_000_000_000;
/** Orders are told at most once; NATS could drop one. */
const revokedEveryMs = 60 * 1000;
const unregisteredEveryMs = 50;
const guestSeenEveryMs = 60 * 60 * 1000;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { bus, logger, node } = options;
  const onError = (error: unknown, what: string) => logger.error({ err: error }, what);
  const eventsPerSecond = options.loadTest ? unlimited : limits.eventsPerSecond;
  const eventsBurst = options.loadTest ? unlimited : limits.eventsBurst;
  const connections = createConnectionLimit(
    options.loadTest ? unlimited : limits.connectionsPerSecondPerAddress,
    options.loadTest ? unlimited : limits.connectionsPerSecondPerNode,
  );

  const app = uws.App();
  const asked = { chat: createTally(), presence: createTally(), timer: createTally(), notify: createTally() };
  const workers = watchWorkers(bus, "chat");
  const chat = createRequester<ChatRequest, ChatAnswer>({
    bus,
    service: "chat",
    workers,
    encode: encodeChatRequest,
    onDone: asked.chat.add,
    decode: decodeChatAnswer,
  });
  const timerWorkers = watchWorkers(bus, "timer");
  const timer = createRequester<TimerRequest, JsonAnswer>({
    bus,
    service: "timer",
    workers: timerWorkers,
    encode: encodeJsonRequest,
    onDone: asked.timer.add,
    decode: decodeJsonAnswer,
  });
  const notifyWorkers = watchWorkers(bus, "notify");
  const notify = createRequester<NotifyRequest, JsonAnswer>({
    bus,
    service: "notify",
    workers: notifyWorkers,
    encode: encodeJsonRequest,
    onDone: asked.notify.add,
    decode: decodeJsonAnswer,
  });
  const ask = (partition: number, request: ChatAsk) =>
    new Promise<ChatAnswer>((resolve, reject) =>
      chat.ask(partition, request, (answer) => (answer instanceof Unanswered ? reject(answer) : resolve(answer))),
    );
  const listeners = createRoomListeners();
  const publish = (room: HubRoom, frame: Uint8Array, except?: Listener) => {
    publishToRoom(app, room, frame);
    listeners.publish(room, frame, except);
  };
  const revocations = createRevocations({ sessions: () => sessions, ask });
  const spread = createSpread();
  const people = createPeople({ bus, node, spread, ask, onRevoke: revocations.obey, onError });
  const roomTimers = createRoomTimers({
    publish,
    onError,
    ask: (room, request) =>
      new Promise((resolve, reject) =>
        timer.ask(partitionOf(room), request, (answer) =>
          answer instanceof Unanswered ? reject(answer) : resolve(answer),
        ),
      ),
  });
  const hub = createHub({
    bus,
    ask,
    onError,
    publish,
    listening: roomTimers.show,
    timer: roomTimers.heard,
    sessionById: people.byId,
    sessionsOf: people.sessionsOf,
    onRooms: (session) => {
      if (session.stage === "registered") report.changed(session);
    },
  });
  const presenceWorkers = watchWorkers(bus, "presence");
  const presenceRequester = createRequester<PresenceRequest, JsonAnswer>({
    bus,
    service: "presence",
    workers: presenceWorkers,
    encode: encodeJsonRequest,
    onDone: asked.presence.add,
    decode: decodeJsonAnswer,
    giveUpMs: presenceGiveUpMs,
  });
  const audience = createPresenceAudience({ bus, hub, people, spread, allMax: options.presenceAllMax, onError });
  const report = createPresenceReport({
    presence: presenceRequester,
    node,
    workers: presenceWorkers,
    onFrozen: (frozen) => {
      logger[frozen ? "warn" : "info"]({ frozen }, frozen ? "presence is frozen" : "presence is kept");
      audience.tellFrozen(frozen);
    },
  });
  const presence = createPresence({ bus, requester: presenceRequester, report });
  const typing = createTyping(bus);
  const userLimits = createUserLimits({
    bus,
    node,
    eventsPerSecond: options.loadTest ? unlimited : limits.userEventsPerSecond,
    sessionsMax: options.loadTest ? unlimited : limits.userSessions,
    sessionsHere: people.countOf,
  });
  const relay = createRelay({
    chat,
    timer,
    notify,
    hub,
    people,
    typing,
    presence,
    authenticate: options.authenticate,
    userLimits,
    eventsPerSecond,
    eventsBurst,
    onIdentified: (session) => {
      revocations.identified(session);
      if (session.credential?.expiresAtMs != null) withEnd.add(session);
      // Who they are may have changed: a guest who became a user.
      if (session.stage === "registered") report.changed(session);
    },
    onError,
  });

  /** Those who have not registered yet, oldest first. */
  const unregistered = new Set<Session>();
  const sessions = new Set<Session>();
  /** Those whose token runs out some time. */
  const withEnd = new Set<Session>();
  /** Guests whose last session here ended, to be told to the store. */
  const goneGuests = new Set<string>();
  let draining = false;
  let slowDropped = 0;
  let connectionsRefused = 0;
  let originsRefused = 0;
  let sessionsEnded = 0;
  let onEmpty: (() => void) | null = null;

  const hello = (session: string) =>
    eventFrame(
      "Hello",
      JSON.stringify({
        message: greeting,
        session,
        node,
        heartbeatMs: limits.heartbeatMs,
        idleTimeoutMs: limits.idleTimeoutMs,
        protocol: "parley.v1",
      }),
    );

  const sessionEvents: SessionEvents = {
    opened: (session) => {
      sessions.add(session);
      unregistered.add(session);
    },
    received: (session, decoded) => {
      relay.take(session, decoded);
    },
    closed: (session) => {
      relay.forget(session);
      sessionsEnded++;
      sessions.delete(session);
      unregistered.delete(session);
      withEnd.delete(session);
      if (session.user?.guest) goneGuests.add(session.user.id);
      if (sessions.size === 0) onEmpty?.();
    },
  };
  const { waitingBytes } = limits;
  const behavior = createWebSocketBehavior({
    ...{ ...sessionEvents, app, listeners, hello, eventsBurst, waitingBytes },
    dropped: () => slowDropped++,
  });
  const raw = createRaw({ app, bus, framesPerSecond: eventsPerSecond, framesBurst: eventsBurst });

  const origins = createOrigins(options.allowedOrigins ?? [], () => originsRefused++);

  /** Why nobody new may come from there now, or null. */
  const refusal = (response: HttpResponse, request: HttpRequest): ConnectionRefusal | null => {
    if (draining) {
      connectionsRefused++;
      return { error: "This node is draining; connect again", retryAfterSeconds: 1 };
    }
    const address = options.addresses.of(response.getRemoteAddress(), request.getHeader("x-forwarded-for"));
    const waitMs = connections.take(address, performance.now());
    if (waitMs === 0) return null;
    connectionsRefused++;
    return { error: "Too many new connections; come back later", retryAfterSeconds: Math.ceil(waitMs / 1000) };
  };

  /** Refuses a handshake that may not be, and answers true. */
  const refused = (response: HttpResponse, request: HttpRequest): boolean => {
    const why = refusal(response, request);
    if (why) plain(response, "503 Service Unavailable", `${why.error}\n`, why.retryAfterSeconds);
    return why !== null;
  };

  const upgradeWebSocket = (response: HttpResponse, request: HttpRequest, context: us_socket_context_t) => {
    const offered = request.getHeader("sec-websocket-protocol");
    const subprotocol = chooseSubprotocol(offered);
    if (subprotocol === null)
      return plain(response, "400 Bad Request", "Offer parley.v1.json or parley.v1.msgpack, or no subprotocol\n");
    if (!origins.allows(request.getHeader("origin"), request.getHeader("host"))) {
      return plain(response, "403 Forbidden", `${foreignOriginError}\n`);
    }
    if (refused(response, request)) return;
    const key = request.getHeader("sec-websocket-key");
    const extensions = request.getHeader("sec-websocket-extensions");
    response.upgrade(createSeat(subprotocol === "parley.v1.msgpack"), key, subprotocol, extensions, context);
  };

  const upgradeRaw = (response: HttpResponse, request: HttpRequest, context: us_socket_context_t) => {
    let room: string;
    try {
      room = checkRoomName(decodeURIComponent(request.getParameter(0) ?? ""));
    } catch {
      return plain(response, "400 Bad Request", "The room's name has 1 to 128 characters and no control characters\n");
    }
    if (refused(response, request)) return;
    const key = request.getHeader("sec-websocket-key");
    response.upgrade(createRawSeat(room, eventsBurst), key, "", request.getHeader("sec-websocket-extensions"), context);
  };

  const page = await loadPage(options.webDir);
  app.ws("/ws", { ...behavior, upgrade: upgradeWebSocket });
  app.ws("/ws/", { ...behavior, upgrade: upgradeWebSocket });
  if (options.rawRooms) app.ws("/raw/:room", { ...raw.behavior, upgrade: upgradeRaw });
  const ways = {
    ...sessionEvents,
    app,
    listeners,
    publish,
    hello,
    eventsBurst,
    waitingBytes,
    origins,
    refusal,
    onError,
  };
  const fallback = createFallback({ ...ways, bus, node, keys: options.fallbackKeys });
  const socketIo = createSocketIo({ ...ways, lobby: options.lobby ?? "lobby", dropped: () => slowDropped++ });
  app.get("/healthz", (response) => plain(response, "200 OK", "ok\n"));
  app.get("/readyz", (response) =>
    isReady() ? plain(response, "200 OK", "ready\n") : plain(response, "503 Service Unavailable", "not ready\n"),
  );
  app.get("/*", (response, request) => page.serve(request.getUrl(), response));
  app.any("/*", (response) => plain(response, "405 Method Not Allowed", "Only GET is served here\n"));

  const isReady = () => !draining && bus.isConnected();

  const listenSocket = await listen(app, options.host, options.port);
  const port = uws.us_socket_local_port(listenSocket);

  const compareHeads = () =>
    hub.compareHeads().catch((error) => logger.warn({ err: error }, "heads could not be compared"));
  const lookUpRevoked = () =>
    revocations.lookUp().catch((error) => logger.warn({ err: error }, "revoked tokens could not be looked up"));
  bus.onReconnect(() => void compareHeads());
  bus.onReconnect(() => void lookUpRevoked());
  const timers = [
    setInterval(() => bus.isConnected() && compareHeads(), options.headsEveryMs ?? 10_000),
    // Often, so that a thousand that came in one second don't all go in one turn.
    setInterval(() => {
      const nowMs = performance.now();
      for (const session of unregistered) {
        if (nowMs - session.openedAtMs < limits.registerWithinMs) break;
        // One whose registration fails is not let in by having tried: it is looked at again.
        if (session.stage === "registering") continue;
        unregistered.delete(session);
        if (session.stage === "open") session.link.close("notRegistered");
      }
    }, unregisteredEveryMs),
    setInterval(() => {
      const nowMs = performance.now();
      for (const session of withEnd) {
        if ((session.credential?.expiresAtMs ?? 0) > Date.now()) continue;
        withEnd.delete(session);
        closeWhenAnswered(session, "tokenEnded");
      }
      typing.sweep(nowMs);
    }, 500),
    setInterval(() => presence.sweep(people.all(), performance.now()), 5_000),
    setInterval(() => bus.isConnected() && lookUpRevoked(), revokedEveryMs),
    setInterval(() => tellSeen(goneGuests.size > 0 ? [...goneGuests] : []), 5_000),
    setInterval(() => tellSeen([...sessions].flatMap(({ user }) => (user?.guest ? [user.id] : []))), guestSeenEveryMs),
  ];

  /** Guests last a day beyond their last session: the store must know when that was. */
  const tellSeen = (users: string[]) => {
    goneGuests.clear();
    for (let i = 0; i < users.length; i += 1_000) {
      const some = users.slice(i, i + 1_000);
      ask(partitionOf(some[0] as string), { kind: "seen", users: some }).catch(() => {
        // Nobody there now: the next round says it again.
        for (const user of some) goneGuests.add(user);
      });
    }
  };

  const drain = async (ms: number) => {
    if (draining) return;
    draining = true;
    uws.us_listen_socket_close(listenSocket);
    for (const ws of raw.sockets()) ws.end(4001, "draining");
    logger.info({ sessions: sessions.size, ms }, "draining");
    sendAway([...sessions], ms);
    if (sessions.size > 0) {
      const empty = new Promise<void>((resolve) => (onEmpty = resolve));
      await Promise.race([empty, new Promise((resolve) => setTimeout(resolve, ms + 3_000))]);
    }
  };

  const stats = (): GatewayStats => ({
    ...hub.counts,
    sessions: sessions.size,
    registered: people.count(),
    rooms: hub.rooms(),
    rawSockets: raw.sockets().size,
    waitingForWorkers: chat.pending() + timer.pending() + notify.pending(),
    slowDropped,
    connectionsRefused,
    originsRefused,
    sessionsEnded,
  });
  addGatewayMetrics(options.metrics, { stats, sessions: () => sessions, relayed: relay.counts, asked });

  return {
    port,
    node,
    isReady,
    stats,
    sessions: () => sessions,
    session: people.byId,
    drain,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      if (!draining) uws.us_listen_socket_close(listenSocket);
      draining = true;
      tellSeen([...goneGuests]);
      await bus.nc.flush().catch(() => {});
      userLimits.close();
      fallback.close();
      socketIo.close();
      report.close();
      audience.close();
      presenceRequester.close();
      presenceWorkers.close();
      people.close();
      chat.close();
      timer.close();
      notify.close();
      workers.close();
      timerWorkers.close();
      notifyWorkers.close();
      app.close();
    },
  };
}

function plain(response: HttpResponse, status: string, text: string, retryAfterSeconds?: number): void {
  response.cork(() => {
    response.writeStatus(status).writeHeader("Content-Type", "text/plain; charset=utf-8");
    response.writeHeader("Cache-Control", "no-store").writeHeader("X-Content-Type-Options", "nosniff");
    if (retryAfterSeconds !== undefined) response.writeHeader("Retry-After", String(retryAfterSeconds));
    response.end(text);
  });
}

/** Of uWebSockets' ListenOptions, a const enum: without it two processes share a port, and each gets some connections. */
const exclusivePort = 1;

function listen(app: uws.TemplatedApp, host: string, port: number): Promise<us_listen_socket> {
  const inUse = `Port ${port} can't be listened on at ${host}: is it in use? Set PORT to another one`;
  return new Promise((resolve, reject) => {
    const listened = (socket: us_listen_socket | false) =>
      socket ? resolve(socket) : reject(Object.assign(new Error(inUse), { clear: true }));
    // The types leave out this form, host and options together, which the library has.
    const full = app.listen as unknown as (host: string, port: number, options: number, done: typeof listened) => void;
    full.call(app, host, port, exclusivePort, listened);
  });
}

export const newNodeId = (instance: string): string => `g${instance}-${randomBytes(4).toString("hex")}`;
