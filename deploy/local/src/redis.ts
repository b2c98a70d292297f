import { aptInstall } from "./apt-install.ts";
import { dockerEngine } from "./docker-engine.ts";
import { answersWith, type Engine, type FoundEngine, versionOf } from "./engine.ts";
import { findOnPath } from "./find-on-path.ts";

/** `REDIS_URL`, else redis-server or valkey-server on the PATH, else a container, else Debian's package. */
export const redis: Engine = {
  name: "redis",
  port: 6379,
  url: (port) => `redis://127.0.0.1:${port}`,
  // Its routine words carry the warning mark too, and so does a lecture on memory overcommit.
  worthShowing: /^(?!.*overcommit).*(error|fatal|fail|can't|could not|denied|MISCONF)/i,
  isUp: (port) => answersWith(port, "PING\r\n", "+PONG"),
  async locate(announce) {
    const url = process.env.REDIS_URL;
    if (url) return { kind: "running", description: "set by REDIS_URL", url };
    const found = (await binaryEngine()) ?? (await dockerEngine(container, announce));
    if (found) return found;
    const installed = aptInstall("redis-server", "because Parley needs Redis and this machine has none", announce);
    return (
      (installed ? await binaryEngine() : null) ??
      Promise.reject(
        new Error(
          "Parley needs a Redis server and found none: put redis-server or valkey-server on the PATH " +
            "(Debian and Ubuntu: apt-get install redis-server), start Docker, or set REDIS_URL to a server that runs",
        ),
      )
    );
  },
};

/** noeviction: presence and queues must never be thrown away to make room. */
const settings = ["--loglevel", "warning", "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"];

const container = {
  image: "redis:7",
  innerPort: () => 6379,
  innerDataDir: "/data",
  // Nobody else can reach it: its port is published on 127.0.0.1 alone.
  args: () => ["redis-server", "--dir", "/data", "--protected-mode", "no", ...settings],
};

async function binaryEngine(): Promise<FoundEngine | null> {
  const file = findOnPath("redis-server", "valkey-server");
  const version = file && (await versionOf(file, "--version"));
  if (!file || !version) return null;
  return {
    kind: "startable",
    description: `Redis ${version} (${file})`,
    command: (port, dataDir) => ({
      file,
      args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", dataDir, ...settings],
    }),
  };
}
