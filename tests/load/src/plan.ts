/** What a run consists of: which scenarios with which settings, ours and bare by turns. */
import { setTimeout as sleep } from "node:timers/promises";
import { type FanoutFigures, type FanoutSettings, runFanout } from "./fanout.ts";
import { type IdleFigures, type IdleSettings, runIdle } from "./idle.ts";
import { defaultConns, type LoadName, type Options } from "./options.ts";
import { poolRounds } from "./pool.ts";
import { readCpu, totalCpu } from "./processes.ts";
import type { Progress } from "./progress.ts";
import { runSend, type SendFigures, type SendSettings } from "./send.ts";
import type { Side } from "./side.ts";

export interface Both<Figures> {
  ours: Figures;
  bare: Figures | null;
}

export type Plan =
  | { scenario: "fanout"; settings: FanoutSettings; rounds: number }
  | { scenario: "send"; settings: SendSettings; rounds: number }
  | { scenario: "idle"; settings: IdleSettings };

export type Outcome =
  | ({ scenario: "fanout"; settings: FanoutSettings } & Both<FanoutFigures>)
  | ({ scenario: "send"; settings: SendSettings } & Both<SendFigures>)
  | ({ scenario: "idle"; settings: IdleSettings } & Both<IdleFigures>);

export function plansOf(options: Options & { scenario: LoadName }): Plan[] {
  const { rounds, rooms, conns, window, publishers, ratePerSecond, holdMs, inflight } = options;
  const { textBytes, measureMs, warmupMs, drainMs, spin } = options;
  const timing = { textBytes, measureMs, warmupMs, drainMs, inflight, spin };
  const fanout = (rooms: number, members: number): Plan => ({
    scenario: "fanout",
    settings: { rooms, members, publishers, ratePerSecond, ...timing },
    rounds,
  });
  const send = (conns: number): Plan => ({
    scenario: "send",
    settings: { conns, window, rooms: rooms ?? conns, ...timing },
    rounds,
  });
  const idle = (conns: number): Plan => ({
    scenario: "idle",
    settings: { conns, rooms: rooms ?? Math.ceil(conns / 10), holdMs, inflight },
  });
  switch (options.scenario) {
    case "fanout":
      return [fanout(rooms ?? 1, options.members)];
    case "send":
      return [send(conns ?? defaultConns.send)];
    case "idle":
      return [idle(conns ?? defaultConns.idle)];
    case "all":
      // Idle comes first: what the others make the servers allocate would be there for its connections to use.
      return [idle(defaultConns.idle), fanout(1, 1000), fanout(100, 10), send(defaultConns.send)];
  }
}

let runs = 0;
/** Rooms of a run are its own: their logs begin at 1. */
const nextRun = (): string => `${process.pid.toString(36)}${Date.now().toString(36)}${(runs++).toString(36)}`;

const calmShare = 0.05;
const calmLimitMs = 15_000;

/** Waits until the servers are done with what the round before left them to do: leaving, checkpoints. */
async function settle(sides: Side[]): Promise<void> {
  const processes = sides.flatMap((side) => side.processes);
  const giveUpAt = performance.now() + calmLimitMs;
  for (;;) {
    const before = readCpu(processes);
    const atMs = performance.now();
    await sleep(300);
    const after = readCpu(processes);
    if (before === null || after === null || performance.now() > giveUpAt) return;
    if (totalCpu(after) - totalCpu(before) <= (calmShare * (performance.now() - atMs)) / 1000) return;
  }
}

/** Runs one plan. `bare` null: ours alone. */
export async function runPlan(plan: Plan, ours: Side, bare: Side | null, progress: Progress): Promise<Outcome> {
  const sides = bare === null ? [ours] : [ours, bare];
  async function inTurns<Figures extends object>(
    rounds: number,
    run: (side: Side) => Promise<Figures>,
  ): Promise<Both<Figures>> {
    const figures: Record<Side["name"], Figures[]> = { ours: [], bare: [] };
    for (let round = 1; round <= rounds; round++)
      for (const side of sides) {
        progress.stage(`${plan.scenario}, round ${round} of ${rounds}, ${side.name}`);
        await settle(sides);
        figures[side.name].push(await run(side));
      }
    return { ours: poolRounds(figures.ours), bare: bare === null ? null : poolRounds(figures.bare) };
  }
  const step = progress.step;
  switch (plan.scenario) {
    case "fanout":
      return { ...plan, ...(await inTurns(plan.rounds, (side) => runFanout(side, plan.settings, nextRun(), step))) };
    case "send":
      return { ...plan, ...(await inTurns(plan.rounds, (side) => runSend(side, plan.settings, nextRun(), step))) };
    case "idle":
      // One round: memory that was once used is not given back, so a second would look free.
      return { ...plan, ...(await inTurns(1, (side) => runIdle(side, plan.settings, nextRun(), step))) };
  }
}
