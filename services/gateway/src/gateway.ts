/** A gateway: no state but its live connections. */
import uws from "uWebSockets.js";
import { randomBytes } from "node:crypto";
import { type Bus, partitionOf, promised } from "@parley/bus";
import { greeting, limits } from "@parley/protocol";
import type { Logger, Metrics } from "@parley/service-kit";
import { answerPlain } from "./answer-plain.ts";
import type { Authenticate } from "./authenticate.ts";
import type { ClientAddresses } from "./client-address.ts";
import { sendAway } from "./drain.ts";
import { createFallback } from "./fallback.ts";
import type { FallbackKeys } from "./fallback-keys.ts";
import { eventFrame } from "./frames.ts";
import { addGatewayMetrics } from "./gateway-metrics.ts";
import { createHandshakes } from "./handshakes.ts";
import { createHub, type HubCounts, type HubRoom } from "./hub.ts";
import { listen } from "./listen.ts";
import { createLiveSessions } from "./live-sessions.ts";
import { createOrigins } from "./origins.ts";
import { loadPage } from "./page.ts";
import { createPeople } from "./people.ts";
import { createPresence } from "./presence.ts";
import { createPresenceAudience } from "./presence-audience.ts";
import { createPresenceReport } from "./presence-report.ts";
import { createRaw } from "./raw.ts";
import { createRelay } from "./relay.ts";
import { createRequesters } from "./requesters.ts";
import { createRevocations } from "./revocations.ts";
import { createRoomListeners, type Listener } from "./room-listeners.ts";
import { createRoomTimers } from "./room-timers.ts";
import type { Session, SessionEvents } from "./session.ts";
import { createSocketIo } from "./socket-io.ts";
import { createSpread } from "./spread.ts";
import { createTyping } from "./typing.ts";
import { createUserLimits } from "./user-limits.ts";
import { createWebSocketDoor, publishToRoom } from "./websocket.ts";

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
  /** Connections but raw ones, also those that are silent. */
  sessions: number;
  /** Those of them that have connected by `/ws` and said nothing yet. */
  silent: number;
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

const unlimited = 1_000_000_000;
const lateDrainMs = 3_000;
const headsEveryMs = 10_000;
/** Orders are told at most once; NATS could drop one. */
const revokedEveryMs = 60_000;
/** Often, so that a thousand that came in one second and said nothing don't all go in one turn. */
const sweepEveryMs = 50;
const typingEveryMs = 500;
const awayEveryMs = 5_000;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { bus, logger, node } = options;
  const onError = (error: unknown, what: string) => logger.error({ err: error }, what);
  const limit = (most: number) => (options.loadTest ? unlimited : most);
  const eventsPerSecond = limit(limits.eventsPerSecond);
  const eventsBurst = limit(limits.eventsBurst);
  const { waitingBytes, registerWithinMs } = limits;
  let draining = false;
  let slowDropped = 0;
  let originsRefused = 0;

  // Who asks workers, who is here, and what they hear.
  const app = uws.App();
  const requesters = createRequesters(bus);
  const ask = promised(requesters.chat);
  const askTimer = promised(requesters.timer);
  const sessions = createLiveSessions(ask);
  const revocations = createRevocations({ sessions: () => sessions.all, ask });
  const listeners = createRoomListeners();
  const publish = (room: HubRoom, frame: Uint8Array, except?: Listener) => {
    publishToRoom(app, room, frame);
    listeners.publish(room, frame, except);
  };
  const spread = createSpread();
  const people = createPeople({ bus, node, spread, ask, onRevoke: revocations.obey, onError });
  const roomTimers = createRoomTimers({
    publish,
    ask: (room, request) => askTimer(partitionOf(room), request),
    onError,
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
  const audience = createPresenceAudience({ bus, hub, people, spread, allMax: options.presenceAllMax, onError });
  const report = createPresenceReport({
    presence: requesters.presence,
    node,
    workers: requesters.presenceWorkers,
    onFrozen: (frozen) => {
      logger[frozen ? "warn" : "info"]({ frozen }, frozen ? "presence is frozen" : "presence is kept");
      audience.tellFrozen(frozen);
    },
  });
  const presence = createPresence({ bus, requester: requesters.presence, report });
  const typing = createTyping(bus);
  const userLimits = createUserLimits({
    bus,
    node,
    eventsPerSecond: limit(limits.userEventsPerSecond),
    sessionsMax: limit(limits.userSessions),
    sessionsHere: people.countOf,
  });

  // What becomes of a client's events.
  const relay = createRelay({
    ...{ requesters, hub, people, typing, presence, userLimits, eventsPerSecond, eventsBurst, onError },
    authenticate: options.authenticate,
    onIdentified: (session) => {
      revocations.identified(session);
      sessions.identified(session);
      // Who they are may have changed: a guest who became a user.
      if (session.stage === "registered") report.changed(session);
    },
  });
  const sessionEvents: SessionEvents = {
    opened: sessions.opened,
    received: relay.take,
    closed: (session) => {
      relay.forget(session);
      sessions.closed(session);
    },
  };

  // The ways in.
  const { heartbeatMs, idleTimeoutMs } = limits;
  const data = { message: greeting, session: "*", node, heartbeatMs, idleTimeoutMs, protocol: "parley.v1" };
  // Encoded once: only the session differs, whose id needs no escaping.
  const [helloBefore, helloAfter] = eventFrame("Hello", JSON.stringify(data)).split('"*"') as [string, string];
  const hello = (session: string) => `${helloBefore}"${session}"${helloAfter}`;
  const dropped = () => slowDropped++;
  const origins = createOrigins(options.allowedOrigins ?? [], () => originsRefused++);
  const handshakes = createHandshakes({
    addresses: options.addresses,
    origins,
    isDraining: () => draining,
    connectionsPerSecondPerAddress: limit(limits.connectionsPerSecondPerAddress),
    connectionsPerSecondPerNode: limit(limits.connectionsPerSecondPerNode),
    eventsBurst,
  });
  const { refusal, upgradeWebSocket, upgradeRaw } = handshakes;
  const ways = { ...sessionEvents, app, listeners, hello, eventsBurst, waitingBytes };
  const door = createWebSocketDoor({ ...ways, registerWithinMs, dropped });
  const webSocket = { ...door.behavior, upgrade: upgradeWebSocket };
  app.ws("/ws", webSocket);
  app.ws("/ws/", webSocket);
  const raw = createRaw({ app, bus, framesPerSecond: eventsPerSecond, framesBurst: eventsBurst });
  if (options.rawRooms) app.ws("/raw/:room", { ...raw.behavior, upgrade: upgradeRaw });
  const overHttp = { ...ways, publish, origins, refusal, onError };
  const fallback = createFallback({ ...overHttp, bus, node, keys: options.fallbackKeys });
  const socketIo = createSocketIo({ ...overHttp, lobby: options.lobby ?? "lobby", dropped });
  const page = await loadPage(options.webDir);
  const isReady = () => !draining && bus.isConnected();
  app.get("/healthz", (response) => answerPlain(response, "200 OK", "ok\n"));
  app.get("/readyz", (response) =>
    isReady()
      ? answerPlain(response, "200 OK", "ready\n")
      : answerPlain(response, "503 Service Unavailable", "not ready\n"),
  );
  app.get("/*", (response, request) => page.serve(request.getUrl(), response));
  app.any("/*", (response) => answerPlain(response, "405 Method Not Allowed", "Only GET is served here\n"));
  const listening = await listen(app, options.host, options.port);

  // What is looked after from time to time.
  const compareHeads = () =>
    hub.compareHeads().catch((error) => logger.warn({ err: error }, "heads could not be compared"));
  const lookUpRevoked = () =>
    revocations.lookUp().catch((error) => logger.warn({ err: error }, "revoked tokens could not be looked up"));
  bus.onReconnect(() => void compareHeads());
  bus.onReconnect(() => void lookUpRevoked());
  const timers = [
    setInterval(() => {
      const nowMs = performance.now();
      relay.sweep(nowMs);
      door.sweep(nowMs);
    }, sweepEveryMs),
    setInterval(() => bus.isConnected() && compareHeads(), options.headsEveryMs ?? headsEveryMs),
    setInterval(() => bus.isConnected() && lookUpRevoked(), revokedEveryMs),
    setInterval(() => typing.sweep(performance.now()), typingEveryMs),
    setInterval(() => presence.sweep(people.all(), performance.now()), awayEveryMs),
  ];

  const stats = (): GatewayStats => ({
    ...hub.counts,
    sessions: sessions.all.size + door.silent(),
    silent: door.silent(),
    registered: people.count(),
    rooms: hub.rooms(),
    rawSockets: raw.sockets().size,
    waitingForWorkers: requesters.waiting(),
    slowDropped,
    connectionsRefused: handshakes.refused(),
    originsRefused,
    sessionsEnded: sessions.ended(),
  });
  addGatewayMetrics(options.metrics, {
    stats,
    sessions: () => sessions.all,
    relayed: relay.counts,
    asked: requesters.asked,
  });

  return {
    port: listening.port,
    node,
    isReady,
    stats,
    sessions: () => sessions.all,
    session: people.byId,
    async drain(ms) {
      if (draining) return;
      draining = true;
      for (const ws of raw.sockets()) ws.end(4001, "draining");
      const silentGone = door.closeSilent();
      logger.info({ sessions: sessions.all.size, ms }, "draining");
      sendAway([...sessions.all], ms);
      // Newcomers are refused. The port stays until all are gone, as who polls comes by a new connection for what is left to be told.
      await Promise.all([silentGone, sessions.untilNone(ms + lateDrainMs)]);
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      draining = true;
      listening.close();
      sessions.close();
      await bus.nc.flush().catch(() => {});
      userLimits.close();
      fallback.close();
      socketIo.close();
      report.close();
      audience.close();
      people.close();
      requesters.close();
      app.close();
    },
  };
}

export const newNodeId = (instance: string): string => `g${instance}-${randomBytes(4).toString("hex")}`;
