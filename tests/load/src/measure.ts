/** The measured time of a run: its length, and the CPU that servers and generator used meanwhile. */
import { type CpuByService, cpuBetween, readCpu } from "./processes.ts";
import { nowMicros } from "./send-frame.ts";
import type { Side } from "./side.ts";

export interface Measured {
  measuredSecs: number;
  /** Null where it can't be had. */
  serverCpu: CpuByService | null;
  clientCpuSecs: number;
}

/** Begins now; the function it returns ends the measured time. */
export function measureWindow(side: Side): () => Measured {
  const cpuBefore = readCpu(side.processes);
  const clientBefore = process.cpuUsage();
  const startMicros = nowMicros();
  return () => {
    const client = process.cpuUsage(clientBefore);
    return {
      measuredSecs: (nowMicros() - startMicros) / 1e6,
      serverCpu: cpuBetween(cpuBefore, readCpu(side.processes)),
      clientCpuSecs: (client.user + client.system) / 1e6,
    };
  };
}
