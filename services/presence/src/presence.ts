/** The presence worker: gateways report their sessions, the directory keeps them, changes are told. */
import {
  answerJson,
  type Bus,
  decodeJsonRequest,
  encodeJsonAnswer,
  type JsonAnswer,
  type PresenceChange,
  type PresenceNews,
  type PresenceRequest,
  serveWorker,
  subjects,
} from "@parley/bus";
import { Unavailable } from "@parley/protocol";
import { addWorkerMetrics, createTally, type Logger, type Metrics, version } from "@parley/service-kit";
import type { Store } from "@parley/store";
import { type ActiveUsers, createActiveUsers } from "./active-users.ts";
import type { RedisConnection } from "./connect-redis.ts";
import { createDirectory, type Directory } from "./directory.ts";
import { createEmitter, type Emitter } from "./emit.ts";
import { createSweeper } from "./sweeper.ts";
import { createTeller, type Teller } from "./tell.ts";

export interface PresenceOptions {
  bus: Bus;
  store: Store;
  connection: RedisConnection;
  logger: Logger;
  metrics: Metrics;
  /** Id of this worker, unique among the living. */
  worker: string;
  graceMs: number;
  leaseMs: number;
}

export interface Presence {
  bus: Bus;
  store: Store;
  directory: Directory;
  activeUsers: ActiveUsers;
  emitter: Emitter;
  isReady(): boolean;
  /** Gives its shards away, answers what it took, tells what it holds, and stops. */
  stop(): Promise<void>;
}

/** Beyond what NATS carries in one message with room to spare. */
const maxNewsBytes = 256 * 1024;

export async function startPresence(options: PresenceOptions): Promise<Presence> {
  const { bus, store, connection, logger, worker } = options;
  const now = Date.now;
  // That Redis is away is said once, by its connection.
  const onError = (error: unknown, what: string) =>
    logger[error instanceof Unavailable ? "debug" : "error"]({ err: error }, what);
  const directory = createDirectory({ connection, graceMs: options.graceMs, leaseMs: options.leaseMs, now });
  const activeUsers = createActiveUsers({ directory, users: store.users, now });
  const batches = createTally();
  const counts = { deadNodes: 0 };

  const publish = (changes: PresenceChange[]) =>
    activeUsers.total().then((total) => {
      for (const some of inMessages(changes))
        bus.publish(subjects.presence(), JSON.stringify({ changes: some, total } satisfies PresenceNews));
    });
  const teller = createTeller({ directory, users: store.users, publish, now, onError });

  const served = await serveWorker<PresenceRequest, JsonAnswer>({
    bus,
    service: "presence",
    worker,
    version,
    description: "Who is connected where, their status, and events for chosen users",
    decode: decodeJsonRequest,
    encode: encodeJsonAnswer,
    handle: (request) => answer({ directory, teller, activeUsers }, request),
    stats: () => ({ ...teller.counts }),
    onBatch: batches.add,
    onError: (error, what, unavailable) => logger[unavailable ? "debug" : "error"]({ err: error }, what),
  });
  const emitter = createEmitter({ bus, directory, users: store.users, onError });
  const sweeper = createSweeper({
    ...{ directory, teller, now, onError },
    owns: served.owns,
    isConnected: () => bus.isConnected() && connection.isUp(),
    settleMs: options.leaseMs / 2,
    onDead: (node) => {
      counts.deadNodes++;
      logger.warn({ node }, "a gateway is not heard of any more: its sessions end");
    },
  });
  bus.onReconnect(sweeper.unsettle);
  connection.onUp(sweeper.unsettle);

  addWorkerMetrics(options.metrics, served, batches);
  options.metrics.counter("parley_presence_told_total", "Changes of users told to gateways", () => teller.counts.told);
  options.metrics.counter("parley_presence_dead_gateways_total", "Gateways given up", () => counts.deadNodes);
  options.metrics.gauge("parley_presence_users_online", "Users online, as all presence workers know them", () =>
    activeUsers.total(),
  );
  options.metrics.gauge("parley_presence_frozen", "1 while Redis can't be reached", () => (connection.isUp() ? 0 : 1));

  return {
    ...{ bus, store, directory, activeUsers, emitter },
    // Without Redis it still answers, and says what is missing: taking it away would help nobody.
    isReady: () => bus.isConnected(),
    async stop() {
      emitter.close();
      sweeper.close();
      await served.stop();
      await teller.close();
    },
  };
}

interface Deps {
  directory: Directory;
  teller: Teller;
  activeUsers: ActiveUsers;
}

async function answer({ directory, teller, activeUsers }: Deps, request: PresenceRequest): Promise<JsonAnswer> {
  switch (request.kind) {
    case "lease":
      await directory.renewLease(request.node);
      return answerJson({ memory: await directory.memory() });
    case "report": {
      const { node, shard, now, ended } = request;
      // Asked for in one turn, so that they reach Redis together and in this order.
      const done = await Promise.all([
        ...now.map((report) => directory.put(node, report)),
        ...ended.map((end) => directory.end(end)),
      ]);
      if (done.includes(true)) teller.schedule(shard);
      return answerJson({});
    }
    case "compare": {
      const { count, sum } = await directory.sumOf(request.node, request.shard);
      return answerJson({ same: count === request.count && sum === request.sum });
    }
    case "match":
      return answerJson(await match({ directory, teller }, request));
    case "count":
      return answerJson({ sessions: await directory.countSessions(request.room) });
    case "active":
      return answerJson(await activeUsers.page(request.room, request.next, request.limit));
  }
}

/** Ends what the node does not hold (any more), and answers which of its sessions are missing or different here. */
async function match(
  { directory, teller }: Pick<Deps, "directory" | "teller">,
  { node, shard, sessions }: Extract<PresenceRequest, { kind: "match" }>,
): Promise<string[]> {
  const known = await directory.sessionsOfNode(node, shard);
  const held = new Map(sessions);
  if (
    await directory.endKnown(
      known.filter(({ session }) => !held.has(session)),
      false,
    )
  )
    teller.schedule(shard);
  const hashes = new Map(known.map(({ session, hash }) => [session, hash]));
  return sessions.flatMap(([session, hash]) => (hashes.get(session) === hash ? [] : [session]));
}

function inMessages(changes: PresenceChange[]): PresenceChange[][] {
  const messages: PresenceChange[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const change of changes) {
    const size = Buffer.byteLength(JSON.stringify(change));
    if (bytes + size > maxNewsBytes) {
      messages.push([]);
      bytes = 0;
    }
    messages[messages.length - 1]?.push(change);
    bytes += size;
  }
  return messages;
}
