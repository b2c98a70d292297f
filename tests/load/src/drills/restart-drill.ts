/** A deploy under load: every process is replaced, one after another, and nobody should notice. */
import type { Teardown } from "../../../support/teardown.ts";
import type { ScenarioReport } from "../report.ts";
import { startCrowd } from "./crowd.ts";
import { quantile, quantileRows, row } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";

export interface RestartDrillOptions {
  clients: number;
  rooms: number;
  /** Each client sends a message so often. */
  everyMs: number;
  gateways: number;
  chatWorkers: number;
  otherWorkers: number;
  drainMs: number;
  /** p99 over clients of the longest that each waited for anything. */
  maxGapMs: number;
}

export async function runRestartDrill(
  teardown: Teardown,
  options: RestartDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const stack = await startDrillStack(teardown, options);
  const crowd = await startCrowd(teardown, { ...options, pick: stack.pick });
  progress(`${options.clients} clients in ${options.rooms} rooms`);
  const talking = crowd.talk();
  const startedAt = performance.now();
  const replaced: string[] = [];
  for (const { service, instance } of stack.replaceable()) {
    progress(`replacing ${service} ${instance}`);
    await stack.replace(service, instance);
    replaced.push(`${service} ${instance}`);
  }
  crowd.stop();
  await talking;
  const seconds = (performance.now() - startedAt) / 1_000;
  const faults = await crowd.faults();
  const gapMs = quantile(crowd.gapsMs(), 0.99);
  return {
    title: `restart: ${replaced.join(", ")} replaced in turn under ${options.clients} clients; drain ${options.drainMs} ms`,
    rows: [
      row("seconds", seconds),
      row("messages", crowd.sent()),
      row("sends that failed", crowd.failed().length),
      row("times a client was offline", crowd.returns().length),
      ...quantileRows("acknowledgement", crowd.acksMs()),
      ...quantileRows("longest gap of each client", crowd.gapsMs()),
    ],
    notes: [],
    failures: [
      ...faults,
      ...new Set(crowd.failed()),
      ...(gapMs > options.maxGapMs ? [`gap p99 ${Math.round(gapMs)} ms, promised ${options.maxGapMs}`] : []),
    ],
  };
}
