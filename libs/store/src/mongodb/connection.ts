import {
  type Collection,
  type Db,
  type Document,
  MongoClient,
  type MongoClientOptions,
  type MongoServerError,
  ReadConcern,
} from "mongodb";
import { StoreUnavailable } from "../store.ts";
import { codes, storeError } from "./errors.ts";

export interface MongoOptions {
  /** Connections to the server at most, per process; 20 unless set. Appends take half of them, so that reads go on. */
  poolSize?: number;
  /** How long a call may take, with all waiting for a primary, before StoreUnavailable; 5 s unless set. */
  timeoutMs?: number;
  /** More for the driver: TLS, user and password. */
  client?: MongoClientOptions;
}

/**
 * What the server can do beyond what every one of its kind can. A real MongoDB can all of it; FerretDB 1, which speaks
 * its protocol over SQLite, can't, and gets by with more work for each call.
 */
export interface Capabilities {
  /** A unique index over an array's elements holds. Else the adapter keeps the ids of the logs it writes in memory. */
  uniqueElements: boolean;
  /** An update reads and writes in one step. Else it takes a document as a lock. */
  atomicUpdates: boolean;
  /** A query by several ids finds each by its key. Else it reads the whole collection: a few are asked for one by one. */
  seeksIds: boolean;
  /** Into how many collections the log is spread: 1, unless each query reads the whole of its collection. */
  logCollections: number;
  /** How many inserts into the log may be under way; what comes meanwhile shares the next one. */
  insertsAtOnce: number;
}

export interface MongoConnection {
  client: MongoClient;
  db: Db;
  capabilities: Capabilities;
  /** Whether reads see only what a majority has: on a replica set or a sharded cluster. A single server loses nothing it acknowledged. */
  majority: boolean;
  /** How long a call of the port may take. */
  timeoutMs: number;
  collection<T extends Document>(name: string): Collection<T>;
  /** Runs a call of the port: within the time-out, its errors as the port has them. */
  call<T>(work: () => Promise<T>): Promise<T>;
  /** Refuses new calls, waits for those under way, and ends the connections. */
  close(): Promise<void>;
}

/** The database that the address names, `parley` where it names none. */
function databaseIn(url: string): string {
  const name = /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?]*)/.exec(url)?.[1] ?? "";
  return name === "" ? "parley" : decodeURIComponent(name);
}

/** To a server whose writers wait for each other asleep: of more connections, more sleep, and for longer. */
const fewConnections = 4;

const clientOf = (
  url: string,
  poolSize: number,
  timeoutMs: number,
  more: MongoClientOptions | undefined,
): MongoClient =>
  new MongoClient(url, {
    appName: "parley",
    maxPoolSize: poolSize,
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    waitQueueTimeoutMS: timeoutMs,
    // A connection that was cut without a word is given up by then; calls end earlier, by `call`.
    socketTimeoutMS: 2 * timeoutMs,
    heartbeatFrequencyMS: 2_000,
    retryReads: true,
    retryWrites: true,
    readPreference: "primary",
    ...more,
    // The promise of the store: whatever the address says, an acknowledged write survives the loss of a server.
    writeConcern: { w: "majority", journal: true, wtimeoutMS: timeoutMs },
  });

/** Connects, and finds out what the server can do. Rejects with StoreUnavailable when it can't be reached. */
export async function connectMongo(url: string, options: MongoOptions): Promise<MongoConnection> {
  const { poolSize = 20, timeoutMs = 5_000 } = options;
  let client = clientOf(url, poolSize, timeoutMs, options.client);
  try {
    await client.connect();
    const asked = client.db(databaseIn(url));
    const [hello, build] = await Promise.all([asked.command({ hello: 1 }), asked.command({ buildInfo: 1 })]);
    const seeks = !("ferretdbVersion" in build);
    const majority = "setName" in hello || hello.msg === "isdbgrid";
    if (!seeks && poolSize > fewConnections) {
      await client.close();
      client = clientOf(url, fewConnections, timeoutMs, options.client);
      await client.connect();
    }
    const db = client.db(databaseIn(url));
    return {
      client,
      db,
      majority,
      timeoutMs,
      capabilities: {
        uniqueElements: seeks,
        atomicUpdates: seeks,
        seeksIds: seeks,
        logCollections: seeks ? 1 : 64,
        insertsAtOnce: seeks ? Math.max(1, Math.floor(poolSize / 2)) : 2,
      },
      collection: (name) => db.collection(name, { readConcern: new ReadConcern(majority ? "majority" : "local") }),
      ...callsOf(client, timeoutMs),
    };
  } catch (error) {
    await client.close().catch(() => {});
    throw storeError(error);
  }
}

function callsOf(client: MongoClient, timeoutMs: number): Pick<MongoConnection, "call" | "close"> {
  const underWay = new Set<Promise<unknown>>();
  let closed: Promise<void> | null = null;

  async function withinTime<T>(work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new StoreUnavailable(`MongoDB did not answer in ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([work(), late]);
    } catch (error) {
      throw storeError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    call<T>(work: () => Promise<T>): Promise<T> {
      if (closed !== null) return Promise.reject(new StoreUnavailable("The store is closed"));
      const running = withinTime(work);
      underWay.add(running);
      const done = () => underWay.delete(running);
      running.then(done, done);
      return running;
    },
    close() {
      closed ??= Promise.allSettled(underWay).then(() => client.close());
      return closed;
    },
  };
}

export const isDuplicate = (error: unknown): boolean => (error as MongoServerError | null)?.code === codes.duplicateKey;
