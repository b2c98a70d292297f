import type { Db, MongoServerError } from "mongodb";
import { dockerEngine } from "./docker-engine.ts";
import { type Engine, type FoundEngine, versionOf } from "./engine.ts";
import { findOnPath } from "./find-on-path.ts";
import { portIsOpen } from "./port-is-open.ts";

/** `MONGODB_URL`, else mongod on the PATH, else a container, else ferretdb on the PATH, which only stands in for it. */
export const mongodb: Engine = {
  name: "mongodb",
  port: 27_017,
  url: (port) => `mongodb://127.0.0.1:${port}/parley`,
  // Both write a line for each connection.
  worthShowing: /"s":"[EF]"|\b(ERROR|FATAL|PANIC|panic:)/,
  // First whether anybody is there: the driver would wait half a second before its second look.
  isUp: async (port) => (await portIsOpen(port)) && takesWrites(port),
  async locate(announce) {
    const url = process.env.MONGODB_URL;
    if (url) return { kind: "running", description: "set by MONGODB_URL", url };
    return (
      (await mongod()) ??
      (await dockerEngine(container, announce)) ??
      (await ferretdb()) ??
      Promise.reject(
        new Error(
          "Parley's store is to be MongoDB, and none was found: put mongod (https://www.mongodb.com/try/download/community) " +
            "or ferretdb on the PATH, start Docker, or set MONGODB_URL to a server that runs",
        ),
      )
    );
  },
};

/** A set of one: only a set's member repeats writes whose answer was lost, and knows what a majority has, as production's does. */
const replicaSet = "parley";

const container = {
  image: "mongo:8",
  // The same inside, as a member is known by the address that it finds itself under.
  innerPort: (port: number) => port,
  innerDataDir: "/data/db",
  args: (port: number) => ["--port", String(port), "--bind_ip_all", "--replSet", replicaSet],
};

async function mongod(): Promise<FoundEngine | null> {
  const file = findOnPath("mongod");
  const version = file && (await versionOf(file, "--version"));
  if (!file || !version) return null;
  return {
    kind: "startable",
    description: `MongoDB ${version} (${file})`,
    command: (port, dataDir) => ({
      file,
      args: ["--port", String(port), "--bind_ip", "127.0.0.1", "--dbpath", dataDir, "--replSet", replicaSet],
    }),
  };
}

/** A MongoDB-compatible server over SQLite: for trying things out and for tests. */
async function ferretdb(): Promise<FoundEngine | null> {
  const file = findOnPath("ferretdb");
  if (file === null) return null;
  return {
    kind: "startable",
    description: `FerretDB (${file})`,
    command: (port, dataDir) => ({ file, args: ["-addr", `127.0.0.1:${port}`, "-dir", dataDir] }),
  };
}

/** Makes a set of one of a server that waits for that, and answers whether it takes writes by now. */
async function takesWrites(port: number): Promise<boolean> {
  // Only here: whoever starts no MongoDB need not wait for its driver.
  const { MongoClient } = await import("mongodb");
  const host = `127.0.0.1:${port}`;
  const client = new MongoClient(`mongodb://${host}/?directConnection=true`, { serverSelectionTimeoutMS: 1_000 });
  try {
    const admin = client.db("admin");
    const hello = await admin.command({ hello: 1 });
    if (hello.isreplicaset === true) await makeSet(admin, host);
    return hello.isWritablePrimary === true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

const alreadyInitialized = 23;

async function makeSet(admin: Db, host: string): Promise<void> {
  const members = [{ _id: 0, host }];
  try {
    await admin.command({ replSetInitiate: { _id: replicaSet, members } });
  } catch (error) {
    if ((error as MongoServerError).code !== alreadyInitialized) throw error;
    const { config } = await admin.command({ replSetGetConfig: 1 });
    if (config.members[0].host === host) return;
    // It had another port when it last ran, and does not find itself in its set.
    await admin.command({ replSetReconfig: { ...config, version: config.version + 1, members }, force: true });
  }
}
