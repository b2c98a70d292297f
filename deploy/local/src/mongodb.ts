import { dockerEngine, type Engine, type FoundEngine, versionOf } from "./engine.ts";
import { findOnPath } from "./find-on-path.ts";
import { portIsOpen } from "./port-is-open.ts";

/** `MONGODB_URL`, else mongod or ferretdb on the PATH, else a container. */
export const mongodb: Engine = {
  name: "mongodb",
  port: 27_017,
  url: (port) => `mongodb://127.0.0.1:${port}/parley`,
  // Both write a line for each connection.
  worthShowing: /"s":"[EF]"|\b(ERROR|FATAL|PANIC|panic:)/,
  isUp: portIsOpen,
  async locate() {
    const url = process.env.MONGODB_URL;
    if (url) return { kind: "running", description: "set by MONGODB_URL", url };
    return (
      (await mongod()) ??
      (await ferretdb()) ??
      (await dockerEngine("mongo:8", 27_017, [])) ??
      Promise.reject(
        new Error(
          "Parley's store is to be MongoDB, and none was found: put mongod (https://www.mongodb.com/try/download/community) " +
            "or ferretdb on the PATH, start Docker, or set MONGODB_URL to a server that runs",
        ),
      )
    );
  },
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
      args: ["--port", String(port), "--bind_ip", "127.0.0.1", "--dbpath", dataDir],
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
