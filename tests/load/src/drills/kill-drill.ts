/** One of two gateways is killed: all its clients come to the other, which must not choke on them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";
import type { ScenarioReport } from "../report.ts";
import { startCrowd } from "./crowd.ts";
import { drawArrivals, quantile, quantileRows, row } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";

export interface KillDrillOptions {
  clients: number;
  rooms: number;
  everyMs: number;
  chatWorkers: number;
  maxBackMs: number;
  maxLoopDelayMs: number;
  /** How long to look at the gateway's loop when all are back; it tells of whole windows of 5 s. */
  watchMs: number;
}

const stepMs = 100;

export async function runKillDrill(
  teardown: Teardown,
  options: KillDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { clients, maxBackMs, maxLoopDelayMs, watchMs } = options;
  const stack = await startDrillStack(teardown, { ...options, gateways: 2, drainMs: 300 });
  const crowd = await startCrowd(teardown, { ...options, pick: stack.pick });
  const talking = crowd.talk();
  await sleep(Math.min(5_000, options.everyMs));
  const before = await stack.loopDelayMs(2);
  progress(`${clients} clients on two gateways; one is killed`);
  const killedAt = performance.now();
  stack.killGateway(1);
  const delays: { p99: number; max: number }[] = [];
  const watching = setInterval(() => void stack.loopDelayMs(2).then((delay) => delays.push(delay)), 1_000);
  await waitFor("the loss to be seen", () => crowd.online() < clients);
  await waitFor("all to be back", () => crowd.online() === clients, { timeoutMs: maxBackMs + 30_000 });
  const lost = crowd.returns().length;
  await sleep(watchMs);
  clearInterval(watching);
  crowd.stop();
  await talking;
  const backMs = crowd.returns().map((at) => at - killedAt);
  const faults = await crowd.faults();
  const worstP99 = Math.max(...delays.map(({ p99 }) => p99));
  const lastBackMs = quantile(backMs, 1);
  return {
    title: `kill: ${clients} clients on two gateways, one killed; ${lost} come to the other`,
    rows: [
      ...quantileRows("back after", backMs),
      row("most returns in one second", mostInOneSecond(backMs)),
      row("loop delay p99 before, ms", before.p99),
      row("loop delay p99, worst 5 s, ms", worstP99),
      row("loop delay max, ms", Math.max(...delays.map(({ max }) => max))),
      row("messages", crowd.sent()),
      row("sends that failed", crowd.failed().length),
      ...quantileRows("longest gap of each client", crowd.gapsMs()),
    ],
    notes: [`arrivals, each line ${stepMs} ms after the kill:`, ...drawArrivals(backMs, stepMs)],
    failures: [
      ...faults,
      ...new Set(crowd.failed()),
      ...(lastBackMs > maxBackMs ? [`the last was back after ${Math.round(lastBackMs)} ms`] : []),
      ...(worstP99 > maxLoopDelayMs ? [`loop delay p99 ${Math.round(worstP99)} ms, promised ${maxLoopDelayMs}`] : []),
    ],
  };
}

function mostInOneSecond(atMs: readonly number[]): number {
  const sorted = atMs.toSorted((a, b) => a - b);
  return Math.max(0, ...sorted.map((from, i) => sorted.findLastIndex((at) => at < from + 1_000) - i + 1));
}
