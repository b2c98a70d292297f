import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { outputOf, type StartableEngine } from "./engine.ts";
import { findOnPath } from "./find-on-path.ts";

export interface Container {
  image: string;
  /** Where the server listens inside, for a port outside. */
  innerPort: (port: number) => number;
  /** Where it keeps its data inside, if it does. */
  innerDataDir?: string;
  args: (port: number) => string[];
}

/** What a signal is to a container: the first process of one hears neither of these. */
const dockerVerbs: Partial<Record<NodeJS.Signals, string>> = { SIGKILL: "kill", SIGSTOP: "pause", SIGCONT: "unpause" };

/** Images that could not be had are not asked for again. */
const missing = new Set<string>();

/** The docker command where a daemon answers that has the image or can fetch it, else null. */
export async function dockerWith(image: string, announce: (line: string) => void): Promise<string | null> {
  const docker = findOnPath("docker");
  if (docker === null || (await outputOf(docker, "version", "--format", "{{.Server.Version}}")) === null) return null;
  return (await hasImage(docker, image, announce)) ? docker : null;
}

/** A container as a foreground command, or null where there is no Docker for it. */
export async function dockerEngine(
  { image, innerPort, innerDataDir, args }: Container,
  announce: (line: string) => void,
): Promise<StartableEngine | null> {
  const docker = await dockerWith(image, announce);
  if (docker === null) return null;
  return {
    kind: "startable",
    description: `Docker image ${image}`,
    command(port, dataDir) {
      // Of its own each time: the one before may not be gone yet when it is started again.
      const name = `parley-${port}-${randomUUID().slice(0, 8)}`;
      const data = innerDataDir === undefined ? [] : ["--volume", `${dataDir}:${innerDataDir}`, "--user", ownIds()];
      const published = ["--publish", `127.0.0.1:${port}:${innerPort(port)}`];
      return {
        file: docker,
        // Attached, so that it ends with its command, which passes other signals on.
        args: ["run", "--rm", "--init", "--name", name, ...published, ...data, image, ...args(port)],
        signal(child: ChildProcess, signal: NodeJS.Signals) {
          const verb = dockerVerbs[signal];
          if (verb === undefined) return child.kill(signal);
          const sent = spawn(docker, [verb, name], { stdio: "ignore", detached: true });
          sent.on("error", () => {});
          sent.unref();
          return true;
        },
      };
    },
  };
}

/** So that what the server writes is ours to remove. */
const ownIds = () => `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;

async function hasImage(docker: string, image: string, announce: (line: string) => void): Promise<boolean> {
  if (missing.has(image)) return false;
  if ((await outputOf(docker, "image", "inspect", image)) !== null) return true;
  announce(`fetching the Docker image ${image}, once`);
  // On a terminal with Docker's own bars. Other servers start meanwhile, and are looked after.
  const shown = process.stderr.isTTY ? "inherit" : "ignore";
  const [status] = await once(spawn(docker, ["pull", image], { stdio: ["ignore", shown, shown] }), "exit");
  if (status === 0) return true;
  announce(`the Docker image ${image} could not be fetched`);
  missing.add(image);
  return false;
}
