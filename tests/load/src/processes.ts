/** The server's processes: which they are, and what /proc says of their CPU time and memory. */
import { readFileSync } from "node:fs";

export interface ServerProcess {
  service: string;
  pid: number;
}

export const canMeasureProcesses = process.platform === "linux";

/** Linux reports process times in units of 1/100 s to every program, whatever the kernel's own tick is. */
const ticksPerSecond = 100;

function readProc(process: ServerProcess, file: string): string {
  try {
    return readFileSync(`/proc/${process.pid}/${file}`, "utf8");
  } catch (cause) {
    const what = `the server process ${process.service} (pid ${process.pid}) is not there or ended during the run`;
    throw new Error(`${what}: its figures would be wrong, so start again`, { cause });
  }
}

/** Seconds of CPU that a process has used since it began, user and system, in all its threads. */
function cpuSecondsOf(process: ServerProcess): number {
  const stat = readProc(process, "stat");
  // The second field is the program's name in parentheses, in which anything may stand.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Seconds of CPU that everything on this machine has used since it was booted, in user and kernel; null without /proc. */
export function machineCpuSeconds(): number | null {
  if (!canMeasureProcesses) return null;
  const line = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]!;
  // cpu user nice system idle iowait irq softirq steal …
  const ticks = line.trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = ticks;
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}

/** Bytes of a process's memory that are in RAM (VmRSS). */
export function residentBytesOf(process: ServerProcess): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(process, "status"))?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/${process.pid}/status has no VmRSS: is it a process that ended?`);
  return Number(kibibytes) * 1024;
}

/** CPU seconds by service; what several processes of a service used is one figure. */
export type CpuByService = Record<string, number>;

/** A reading of all processes' CPU times, or null where they can't be had (no /proc, or no process known). */
export function readCpu(processes: ServerProcess[]): CpuByService | null {
  if (!canMeasureProcesses || processes.length === 0) return null;
  const seconds: CpuByService = {};
  for (const process of processes) seconds[process.service] = (seconds[process.service] ?? 0) + cpuSecondsOf(process);
  return seconds;
}

export function cpuBetween(before: CpuByService | null, after: CpuByService | null): CpuByService | null {
  if (before === null || after === null) return null;
  return Object.fromEntries(Object.entries(after).map(([service, seconds]) => [service, seconds - before[service]!]));
}

export const totalCpu = (cpu: CpuByService): number => Object.values(cpu).reduce((sum, seconds) => sum + seconds, 0);
