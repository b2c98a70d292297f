/** Which CPUs processes may run on, by taskset, and which only run while nobody else wants to, by chrt (both of util-linux). */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

function taskset(args: string[]): string {
  const result = spawnSync("taskset", args, { encoding: "utf8" });
  if (result.error)
    throw new Error("--pin-server and --pin-client need taskset (Linux, package util-linux), which is not on the PATH");
  if (result.status !== 0) throw new Error(`taskset ${args.join(" ")} failed: ${result.stderr.trim()}`);
  return result.stdout;
}

/** `command` as it must be started to run on `cpu` alone; unchanged when `cpu` is null. */
export function pinnedCommand(cpu: number | null, command: string[]): string[] {
  return cpu === null ? command : ["taskset", "-c", String(cpu), ...command];
}

/** Keeps a running process, all its threads, on one CPU. Returns what sets it free again. */
export function pinProcess(pid: number, cpu: number): () => void {
  const before = /: (\S+)\s*$/.exec(taskset(["-c", "-p", String(pid)]))?.[1];
  taskset(["-a", "-c", "-p", String(cpu), String(pid)]);
  return () => {
    // It may have ended since.
    if (before !== undefined) spawnSync("taskset", ["-a", "-c", "-p", before, String(pid)]);
  };
}

/** From now on a running process, all its threads, gets only what nobody else on its CPU wants, and gives it back at once. */
export function yieldToAll(pid: number): void {
  const result = spawnSync("chrt", ["--all-tasks", "--idle", "--pid", "0", String(pid)], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`chrt --idle failed: ${result.error?.message ?? result.stderr.trim()}`);
}

/** Refuses what can't work before anything has been started. */
export function checkPinning(pinServer: number | null, pinClient: number | null): void {
  if (pinServer === null && pinClient === null) return;
  taskset(["--version"]);
  if (pinServer !== null && pinServer === pinClient)
    throw new Error(`--pin-server and --pin-client are both ${pinServer}: the generator would take the server's time`);
  if (availableParallelism() < 2) throw new Error("--pin-server and --pin-client need two CPUs, this machine has one");
}
