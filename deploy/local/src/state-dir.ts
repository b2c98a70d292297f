import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandLineOf, endProcess, isAlive } from "./process-facts.ts";
import { type ProcessRow, readProcessesFile, removeProcessesFile } from "./processes-file.ts";

/** What a run keeps in `.parley`, by name. */
export function statePaths(stateDir: string) {
  return {
    data: join(stateDir, "data"),
    processes: join(stateDir, "processes.json"),
    launcher: join(stateDir, "launcher.pid"),
    serviceToken: join(stateDir, "service-token"),
    tokenSecret: join(stateDir, "token-secret"),
    guestKey: join(stateDir, "guest-key"),
  };
}

/** Another launcher runs in this checkout. */
class AlreadyRunningError extends Error {
  override name = "AlreadyRunningError";
}

/**
 * Makes this process the checkout's only launcher; returns the function that gives the place up.
 * Throws AlreadyRunningError, with the other's process id, while that lives.
 */
export function claimStateDir(stateDir: string): () => void {
  const { launcher } = statePaths(stateDir);
  mkdirSync(stateDir, { recursive: true });
  const other = Number(readIfThere(launcher));
  // A process id is used again after a while, so the command line must be a launcher's too.
  if (other > 1 && other !== process.pid && isAlive(other) && /\blaunch\.ts\b/.test(commandLineOf(other))) {
    throw new AlreadyRunningError(
      `Parley runs in this checkout already (process ${other}). Stop it with Ctrl-C in its terminal, or: kill ${other}`,
    );
  }
  writeFileSync(launcher, `${process.pid}\n`);
  return () => {
    if (Number(readIfThere(launcher)) === process.pid) rmSync(launcher, { force: true });
  };
}

/** Ends what a launcher that was killed left running, and forgets its table. Call after `claimStateDir`. */
export async function endOrphans(
  stateDir: string,
  checkoutDir: string,
  announce: (line: string) => void,
): Promise<void> {
  const { processes } = statePaths(stateDir);
  const orphans = readProcessesFile(processes).filter((row) => isOurs(row, checkoutDir));
  await Promise.all(
    orphans.map(async ({ service, instance, pid }) => {
      announce(`an earlier run left ${service} ${instance} (process ${pid}) behind: ending it`);
      await endProcess(pid, 3_000);
    }),
  );
  removeProcessesFile(processes);
}

function isOurs({ service, pid, ports }: ProcessRow, checkoutDir: string): boolean {
  if (!isAlive(pid)) return false;
  const commandLine = commandLineOf(pid);
  // A service is told by its file; NATS and Redis by their name and port, of which there is one on a machine.
  if (commandLine.includes(checkoutDir) && commandLine.includes("main.ts")) return true;
  return commandLine.includes(service) && Object.values(ports ?? {}).some((port) => commandLine.includes(String(port)));
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}
