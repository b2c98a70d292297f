/** The chat worker: takes batches from gateways, gives each request to its handler, and answers. */
import {
  type Bus,
  type ChatAnswer,
  type ChatRequest,
  decodeChatRequest,
  encodeChatAnswer,
  partitionOf,
  serveWorker,
  subjects,
} from "@parley/bus";
import { addWorkerMetrics, createTally, type Logger, type Metrics, version } from "@parley/service-kit";
import type { Store } from "@parley/store";
import { createActivity } from "./activity.ts";
import { type Appender, createAppender } from "./append.ts";
import type { AskApplication } from "./ask-application.ts";
import { addChatMetrics } from "./chat-metrics.ts";
import { createDeliver, type Deliver } from "./deliver.ts";
import { type AskKept, createAskKept } from "./export-user.ts";
import { type AskForget, createAskForget } from "./forget-user.ts";
import { arrive, seen } from "./guests.ts";
import { joinRoom, leaveRoom } from "./membership.ts";
import { amendMessage, maySpeak, sendMessage } from "./messages.ts";
import { fillGap, headsOf, history, listRooms, markRead, unreadOf } from "./reading.ts";
import { answerRevoked } from "./revocations.ts";
import { createRoomStates, type RoomState, type RoomStates } from "./room-states.ts";
import { createSaidNotes, type SaidNotes } from "./said.ts";
import { sweepOnce } from "./sweep.ts";
import { claimTicket, closeTicket, handOverTicket, listTickets, openTicket } from "./tickets.ts";
import { traceAppends } from "./trace-appends.ts";

export interface ChatDeps {
  store: Store;
  rooms: RoomStates;
  deliver: Deliver;
  appender: Appender<RoomState>;
  /** Told of each message that was stored. */
  said: SaidNotes;
  announceMembersMax: number;
  /** Null: the application is not asked. */
  askApplication: AskApplication | null;
  now: () => number;
}

export interface ChatOptions {
  bus: Bus;
  store: Store;
  logger: Logger;
  metrics: Metrics;
  /** Id of this worker, unique among the living. */
  worker: string;
  roomsByUse: boolean;
  announceMembersMax: number;
  askApplication: AskApplication | null;
  sweepEveryMs?: number;
}

export interface Chat {
  deps: ChatDeps;
  askForget: AskForget;
  askKept: AskKept;
  isReady(): boolean;
  /** Gives its partitions away, answers what it took, and stops. */
  stop(): Promise<void>;
}

const forgetTimeoutMs = 10_000;
const pageTimeoutMs = 3_000;

export async function startChat(options: ChatOptions): Promise<Chat> {
  const { bus, store, logger, metrics, worker } = options;
  const writes = createTally();
  const batches = createTally();
  const deliver = createDeliver(bus);
  const activity = createActivity(bus);
  const rooms = createRoomStates(store, options);
  const republish = (state: RoomState, seq: number) => {
    void store.log
      .get(state.key, seq)
      .then((entry) => entry && deliver.entries(state, [entry]))
      .catch((error) => logger.warn({ err: error }, "an entry could not be told again"));
  };
  const appender = createAppender<RoomState>({
    log: store.log,
    republish,
    onWrite: writes.add,
    publish: (state, entries) => {
      deliver.entries(
        state,
        entries.map(({ seq, draft, body }) => ({ seq, kind: draft.kind, body })),
        bus.tracing ? entries.find(({ draft }) => draft.traceparent)?.draft.traceparent : undefined,
      );
      activity.note(state.name);
    },
  });
  const deps: ChatDeps = {
    store,
    rooms,
    deliver,
    appender: bus.tracing ? traceAppends(appender, bus.tracing) : appender,
    said: createSaidNotes(bus),
    announceMembersMax: options.announceMembersMax,
    askApplication: options.askApplication,
    now: Date.now,
  };

  const changes = bus.nc.subscribe(subjects.roomChanged(), {
    callback: (error, msg) => {
      if (!error) rooms.changed(msg.string());
    },
  });
  const served = await serveWorker<ChatRequest, ChatAnswer>({
    bus,
    service: "chat",
    worker,
    version,
    description: "Rooms, members and the log of each room",
    decode: decodeChatRequest,
    encode: encodeChatAnswer,
    handle: (request) => answer(deps, request),
    stats: () => ({ rooms: rooms.count(), appending: appender.pending() }),
    onBatch: batches.add,
    onError: (error, what, unavailable) => logger[unavailable ? "warn" : "error"]({ err: error }, what),
  });

  addWorkerMetrics(metrics, served, batches);
  addChatMetrics(metrics, { appender, rooms, writes, said: deps.said });

  const sweep = async () => {
    try {
      const swept = await sweepOnce(store, (room) => served.owns(partitionOf(room)), Date.now());
      for (const room of swept.rooms) deliver.roomChanged(room);
      if (swept.entries + swept.guests > 0) logger.info({ entries: swept.entries, guests: swept.guests }, "swept");
    } catch (error) {
      logger.warn({ err: error }, "sweeping failed; the next round tries again");
    }
  };
  const sweeping = setInterval(sweep, options.sweepEveryMs ?? 60_000);

  const asking = (timeout: number) => ({
    request: (subject: string, payload: string) => bus.nc.request(subject, payload, { timeout }),
  });

  return {
    deps,
    askForget: createAskForget(asking(forgetTimeoutMs)),
    askKept: createAskKept(asking(pageTimeoutMs)),
    isReady: () => bus.isConnected(),
    async stop() {
      clearInterval(sweeping);
      await served.stop();
      await deps.said.stop();
      activity.close();
      changes.unsubscribe();
    },
  };
}

function answer(deps: ChatDeps, request: ChatRequest): Promise<ChatAnswer> {
  switch (request.kind) {
    case "send":
      return sendMessage(deps, request);
    case "arrive":
      return arrive(deps, request);
    case "revoked":
      return answerRevoked(deps, request.bearers);
    case "seen":
      return seen(deps, request.users);
    case "join":
      return joinRoom(deps, request.user, request, request.quiet);
    case "leave":
      return leaveRoom(deps, request.user, request);
    case "amend":
      return amendMessage(deps, request.user, request);
    case "speak":
      return maySpeak(deps, request.user, request.room);
    case "history":
      return history(deps, request.user, request.room, request);
    case "markRead":
      return markRead(deps, request.user, request.session, request.room, request.seq);
    case "rooms":
      return listRooms(deps, request.user, request.next);
    case "fill":
      return fillGap(deps, request.room, request.after);
    case "heads":
      return headsOf(deps, request.rooms);
    case "unread":
      return unreadOf(deps, request.items);
    case "openTicket":
      return openTicket(deps, request);
    case "tickets":
      return listTickets(deps, request);
    case "claimTicket":
      return claimTicket(deps, request);
    case "handOverTicket":
      return handOverTicket(deps, request);
    case "closeTicket":
      return closeTicket(deps, request);
  }
}
