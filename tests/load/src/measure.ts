/** The measured time of a run: its length, and the CPU that servers and generator used meanwhile. */
import { type CpuByService, cpuBetween, machineCpuSeconds, readCpu, totalCpu } from "./processes.ts";
import { nowMicros } from "./send-frame.ts";
import type { Side } from "./side.ts";

export interface Measured {
  measuredSecs: number;
  /** Null where it can't be had. */
  serverCpu: CpuByService | null;
  clientCpuSecs: number;
  /** CPU that neither of them used but others on the machine did; null where it can't be had. */
  otherCpuSecs: number | null;
}

/** Begins now; the function it returns ends the measured time. */
export function measureWindow(side: Side): () => Measured {
  const machineBefore = machineCpuSeconds();
  const cpuBefore = readCpu(side.processes);
  const clientBefore = process.cpuUsage();
  const startMicros = nowMicros();
  return () => {
    const measuredSecs = (nowMicros() - startMicros) / 1e6;
    const { user, system } = process.cpuUsage(clientBefore);
    const clientCpuSecs = (user + system) / 1e6;
    const serverCpu = cpuBetween(cpuBefore, readCpu(side.processes));
    const machineAfter = machineCpuSeconds();
    const otherCpuSecs =
      machineBefore === null || machineAfter === null || serverCpu === null
        ? null
        : Math.max(0, machineAfter - machineBefore - clientCpuSecs - totalCpu(serverCpu));
    return { measuredSecs, serverCpu, clientCpuSecs, otherCpuSecs };
  };
}
