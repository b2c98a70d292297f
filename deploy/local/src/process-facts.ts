import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // Dead but not yet waited for: some containers' first process never does.
    return process.platform !== "linux" || !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The command line of a process, or "" when there is none: tells our process from a stranger with a reused id. */
export function commandLineOf(pid: number): string {
  try {
    // Linux has it as a file; slim images have no ps.
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}

/** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  const killAt = Date.now() + graceMs;
  signalIfAlive(pid, "SIGTERM");
  while (isAlive(pid)) {
    if (Date.now() > killAt) signalIfAlive(pid, "SIGKILL");
    await sleep(20);
  }
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone meanwhile.
  }
}
