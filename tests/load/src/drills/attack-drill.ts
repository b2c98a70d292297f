/** Connections that never register, handshakes that dribble, a flood from one address: members must not notice. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { checkPinning, pinProcess, yieldToAll } from "../pinning.ts";
import { type CpuByService, cpuBetween, machineCpuSeconds, readCpu, totalCpu } from "../processes.ts";
import type { ScenarioReport } from "../report.ts";
import { createParleySide } from "../side.ts";
import type { AttackCounts, AttackOrder } from "./attacker.ts";
import { median, quantileRows, row, typicalP99 } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";
import { enterTalkers } from "./talkers.ts";

export interface AttackDrillOptions {
  members: number;
  silent: number;
  dribbling: number;
  floodPerSecond: number;
  ratePerSecond: number;
  measureMs: number;
  /** Of each: quiet and attacked; and before them one that does not count, while what runs is still compiled. */
  rounds: number;
  /** The members' p99 under attack ÷ quiet. */
  maxRatio: number;
}

const room = "under attack";
/** The server's and, on a machine with two or more, that of the members and the attacker. */
const serverCpu = 0;
const clientCpu = 1;
/**
 * 5 s more than the default: a gateway lets in 1,000 a second, so that 10,000 are there at a time only where they may stay for
 * longer than ten seconds.
 */
const registerWithinMs = 15_000;
/** A state's p99 is the median of those of windows of so many messages. */
const windowMessages = 250;
const settleMs = 2_000;
/** What else ran took more than this: the figures hold that. */
const disturbedCores = 0.2;

/** What one state, quiet or attacked, showed. */
interface Seen {
  delaysMs: number[];
  /** The gateway's, in the last whole 5 s. */
  loopDelayMs: { p99: number; max: number };
  /** Cores of each service, of who talks and attacks, and of everything else on the machine. */
  cores: CpuByService;
}

export async function runAttackDrill(
  teardown: Teardown,
  options: AttackDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { members, silent, dribbling, floodPerSecond, ratePerSecond, measureMs, rounds, maxRatio } = options;
  const pinned = availableParallelism() > 1;
  if (pinned) checkPinning(serverCpu, clientCpu);
  // Limits as in production but one: they are what is tried.
  const stack = await startDrillStack(teardown, {
    ...{ gateways: 1, chatWorkers: 1, drainMs: 300 },
    env: { REGISTER_WITHIN_MS: String(registerWithinMs) },
  });
  if (pinned) {
    for (const { pid } of stack.rows()) pinProcess(pid, serverCpu);
    teardown.after(pinProcess(process.pid, clientCpu));
  }
  const port = Number(new URL(stack.httpUrl()).port);
  const talkers = await enterTalkers(createParleySide([{ host: "127.0.0.1", port }], []), room, members);
  teardown.after(talkers.close);

  const measure = async (ms: number, attacker: number | null): Promise<Seen> => {
    const own = attacker === null ? [] : [{ service: "attacker", pid: attacker }];
    const processes = [...stack.rows(), { service: "members", pid: process.pid }, ...own];
    const before = { all: machineCpuSeconds(), each: readCpu(processes) };
    const startedAt = performance.now();
    const delaysMs = await talkers.talk(ms, ratePerSecond);
    const seconds = (performance.now() - startedAt) / 1_000;
    const used = cpuBetween(before.each, readCpu(processes)) ?? {};
    const others = (machineCpuSeconds() ?? 0) - (before.all ?? 0) - totalCpu(used);
    const cores = Object.entries({ ...used, others }).map(([service, cpu]) => [service, cpu / seconds]);
    return { delaysMs, cores: Object.fromEntries(cores), loopDelayMs: await stack.loopDelayMs(1) };
  };

  /** Measures once the attack is in full, then ends it. */
  const measureAttacked = async (ms: number) => {
    let counts: AttackCounts = { silentOpen: 0, dribblingOpen: 0, flooded: 0, refused: 0 };
    const attacker = fork(join(import.meta.dirname, "attacker.ts"), { stdio: "inherit" }) as ChildProcess & {
      pid: number;
    };
    teardown.after(() => void attacker.kill("SIGKILL"));
    attacker.on("message", (told: AttackCounts) => {
      counts = told;
    });
    // Attackers have machines of their own: this one takes only what nobody else on its CPU wants.
    if (pinned) {
      pinProcess(attacker.pid, clientCpu);
      yieldToAll(attacker.pid);
    }
    attacker.send({ port, silent, dribbling, floodPerSecond } satisfies AttackOrder);
    await waitFor("the attack to be in full", () => counts.silentOpen >= silent * 0.95, { timeoutMs: 60_000 });
    const before = counts;
    const seen = await measure(ms, attacker.pid);
    const after = counts;
    attacker.kill("SIGKILL");
    const isOver = async () => (await stack.connections()) <= members;
    await waitFor("the attacker's connections to be gone", isOver, { timeoutMs: 60_000, everyMs: 200 });
    await sleep(settleMs);
    return { seen, before, after };
  };

  progress("warming up, and a first attack that does not count");
  await measure(measureMs / 2, null);
  const first = await measureAttacked(measureMs / 2);
  const quiet = [await measure(measureMs, null)];
  const attacked: Awaited<ReturnType<typeof measureAttacked>>[] = [];
  for (let round = 1; round <= rounds; round++) {
    attacked.push(await measureAttacked(measureMs));
    quiet.push(await measure(measureMs, null));
    const [before, now, after] = [quiet.at(-2)!, attacked.at(-1)!.seen, quiet.at(-1)!].map(p99) as [
      number,
      number,
      number,
    ];
    progress(
      `round ${round}: p99 quiet ${before.toFixed(1)}, attacked ${now.toFixed(1)}, quiet ${after.toFixed(1)} ms`,
    );
  }

  const under = attacked.map(({ seen }) => seen);
  const p99s = { quiet: typicalP99(windowsOf(quiet)), attacked: typicalP99(windowsOf(under)) };
  const ratio = p99s.attacked / p99s.quiet;
  const at = attacked.flatMap(({ before, after }) => [before, after]);
  const least = Math.min(...at.map(({ silentOpen }) => silentOpen));
  const flooded = attacked.map(({ before, after }) => ((after.flooded - before.flooded) * 1_000) / measureMs);
  const disturbedBy = Math.max(...[quiet, under].map((all) => median(all.map(({ cores }) => cores.others ?? 0))));
  const title = `${silent} never register, ${dribbling} dribble, a flood of ${floodPerSecond}/s from one address`;
  return {
    title: `attack: ${title}; ${members} members, ${ratePerSecond} messages/s, ${rounds} rounds`,
    rows: [
      ...quantileRows("quiet", allOf(quiet)),
      ...quantileRows("under attack", allOf(under)),
      row("median p99 of the windows, quiet, ms", p99s.quiet),
      row("median p99 of the windows, under attack, ms", p99s.attacked),
      row("  ÷ quiet", ratio),
      row("p99 of the first attack, which does not count, ms", p99(first.seen)),
      row("silent connections at a time, at least", least),
      row("dribbling at a time, at least", Math.min(...at.map(({ dribblingOpen }) => dribblingOpen))),
      row("connections of the flood a second", median(flooded)),
      row(
        "refused with 503",
        attacked.reduce((sum, { after }) => sum + after.refused, 0),
      ),
    ],
    notes: [
      pinned
        ? "servers on CPU 0; members on CPU 1, with the attacker, who gets only what they leave"
        : "one CPU: the attacker takes the servers' time, so this says little",
      `a window is ${windowMessages} messages: its p99 is its third slowest`,
      ...(disturbedBy > disturbedCores ? [`something else took ${disturbedBy.toFixed(2)} cores: run it again`] : []),
      `p99 of each turn, ms: quiet ${quiet.map((seen) => p99(seen).toFixed(1)).join(", ")}; attacked ${under.map((seen) => p99(seen).toFixed(1)).join(", ")}`,
      `cores quiet: ${coresOf(quiet)}; under attack: ${coresOf(under)}`,
      `the gateway's loop delay, p99 / max of the last 5 s of each, ms: quiet ${loopDelays(quiet)}; attacked ${loopDelays(under)}`,
    ],
    failures: [
      ...(ratio > maxRatio ? [`p99 ratio ${ratio.toFixed(2)}, promised ${maxRatio}`] : []),
      ...(least < silent * 0.9 ? [`only ${least} connections were held at a time`] : []),
      ...(Math.min(...flooded) < floodPerSecond * 0.9 ? ["the flood was slower than it should be"] : []),
      ...talkers.failures(),
    ],
  };
}

const allOf = (all: readonly Seen[]): number[] => all.flatMap(({ delaysMs }) => delaysMs);

const p99 = ({ delaysMs }: Seen): number => typicalP99(windowsOf([{ delaysMs }]));

/** What was seen of a state, in windows. */
const windowsOf = (all: readonly Pick<Seen, "delaysMs">[]): number[][] =>
  all.flatMap(({ delaysMs }) =>
    Array.from({ length: Math.ceil(delaysMs.length / windowMessages) }, (_, i) =>
      delaysMs.slice(i * windowMessages, (i + 1) * windowMessages),
    ),
  );

const loopDelays = (all: readonly Seen[]): string =>
  all.map(({ loopDelayMs: { p99, max } }) => `${p99.toFixed(0)} / ${max.toFixed(0)}`).join(", ");

/** Each service's, of the middle of all rounds. */
const coresOf = (all: readonly Seen[]): string =>
  Object.keys(all[0]?.cores ?? {})
    .map((service) => `${service} ${median(all.map(({ cores }) => cores[service] ?? Number.NaN)).toFixed(2)}`)
    .join(", ");
