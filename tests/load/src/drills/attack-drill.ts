/** Connections that never register, handshakes that dribble, a flood from one address: members must not notice. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../../../support/websocket-client.ts";
import { checkPinning, pinProcess } from "../pinning.ts";
import { type CpuByService, cpuBetween, readCpu } from "../processes.ts";
import type { ScenarioReport } from "../report.ts";
import type { AttackCounts, AttackOrder, BurnOrder } from "./attacker.ts";
import { median, quantile, quantileRows, row, typicalP99 } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";

export interface AttackDrillOptions {
  members: number;
  silent: number;
  dribbling: number;
  flooding: number;
  ratePerSecond: number;
  measureMs: number;
  /** Of each: quiet, attacked, and quiet with as much of the members' CPU taken as by the attacker. */
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

/** What one state, quiet or attacked, showed. */
interface Seen {
  delaysMs: number[];
  /** The gateway's, in the last whole 5 s. */
  loopDelayMs: { p99: number; max: number };
  /** Cores of each service. */
  cores: CpuByService | null;
}

const none: AttackCounts = { silentOpen: 0, silentOpened: 0, dribblingOpen: 0, flooded: 0, refused: 0 };

export async function runAttackDrill(
  teardown: Teardown,
  options: AttackDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { members, silent, dribbling, flooding, ratePerSecond, measureMs, rounds, maxRatio } = options;
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
  const clients: TestClient[] = [];
  for (let i = 0; i < members; i++) {
    const client = await connectTestClient(`${stack.wsUrl()}/ws`);
    teardown.after(() => client.socket.terminate());
    await client.registerGuest();
    await client.request("JoinRoom", { room });
    clients.push(client);
    await sleep(25);
  }
  let sent = 0;
  const measure = async (ms: number): Promise<Seen> => {
    const delaysMs: number[] = [];
    const replies: Promise<unknown>[] = [];
    const before = readCpu(stack.rows());
    const startedAt = performance.now();
    for (let n = 0; n < (ms * ratePerSecond) / 1_000; n++) {
      await sleep(Math.max(0, startedAt + (n * 1_000) / ratePerSecond - performance.now()));
      const sender = clients[n % members]!;
      const atMs = performance.now();
      const sending = sender.request("SendMessage", { room, clientMessageId: `m${++sent}`, text: "x" });
      replies.push(sending.then(() => delaysMs.push(performance.now() - atMs)));
    }
    await Promise.all(replies);
    const seconds = (performance.now() - startedAt) / 1_000;
    const used = cpuBetween(before, readCpu(stack.rows()));
    const cores = used && Object.fromEntries(Object.entries(used).map(([service, s]) => [service, s / seconds]));
    return { delaysMs, cores, loopDelayMs: await stack.loopDelayMs(1) };
  };

  let counts = none;
  const startAttacker = (): ChildProcess & { pid: number } => {
    const attacker = fork(join(import.meta.dirname, "attacker.ts"), { stdio: "inherit" });
    teardown.after(() => void attacker.kill("SIGKILL"));
    if (attacker.pid === undefined) throw new Error("the attacker's process could not be started");
    if (pinned) pinProcess(attacker.pid, clientCpu);
    return attacker as ChildProcess & { pid: number };
  };
  const attack = async () => {
    counts = none;
    const attacker = startAttacker();
    attacker.on("message", (told: AttackCounts) => {
      counts = told;
    });
    attacker.send({ port: Number(new URL(stack.httpUrl()).port), silent, dribbling, flooding } satisfies AttackOrder);
    await waitFor("the attack to be in full", () => counts.silentOpen >= silent * 0.95, { timeoutMs: 60_000 });
    return attacker;
  };

  await measure(3_000);
  const quiet: Seen[] = [];
  const burnt: Seen[] = [];
  const attacked: Seen[] = [];
  const at: AttackCounts[] = [];
  let floodPerSecond = 0;
  let refused = 0;
  for (let round = 1; round <= rounds; round++) {
    quiet.push(await measure(measureMs));
    progress(`round ${round}: quiet p99 ${p99(quiet.at(-1)!).toFixed(1)} ms; the attack begins`);
    const attacker = await attack();
    const before = counts;
    const own = [{ service: "attacker", pid: attacker.pid }];
    const cpuBefore = readCpu(own);
    const startedAt = performance.now();
    attacked.push(await measure(measureMs));
    const share = ((cpuBetween(cpuBefore, readCpu(own))?.attacker ?? 0) * 1_000) / (performance.now() - startedAt);
    at.push(before, counts);
    floodPerSecond += ((counts.flooded - before.flooded) * 1_000) / measureMs / rounds;
    refused += counts.refused;
    progress(
      `round ${round}: attacked p99 ${p99(attacked.at(-1)!).toFixed(1)} ms, with ${counts.silentOpen} silent and ${counts.dribblingOpen} dribbling`,
    );
    attacker.kill("SIGKILL");
    await waitFor("the attacker's connections to be gone", async () => (await stack.connections()) <= members, {
      timeoutMs: 60_000,
      everyMs: 200,
    });
    const burner = startAttacker();
    burner.send({ share } satisfies BurnOrder);
    await sleep(1_000);
    burnt.push(await measure(measureMs));
    burner.kill("SIGKILL");
    progress(
      `round ${round}: quiet, with ${share.toFixed(2)} of the members' CPU taken as by the attack, p99 ${p99(burnt.at(-1)!).toFixed(1)} ms`,
    );
  }
  const ratio = typicalP99(windowsOf(attacked)) / typicalP99(windowsOf(quiet));
  const gone = clients.filter(({ socket }) => socket.readyState !== socket.OPEN).length;
  const least = Math.min(...at.map(({ silentOpen }) => silentOpen));
  return {
    title: `attack: ${silent} never register, ${dribbling} dribble, a flood from one address; ${members} members, ${ratePerSecond} messages/s, ${rounds} pairs`,
    rows: [
      ...quantileRows(
        "quiet",
        quiet.flatMap(({ delaysMs }) => delaysMs),
      ),
      ...quantileRows(
        "quiet, as much of the members' CPU taken,",
        burnt.flatMap(({ delaysMs }) => delaysMs),
      ),
      ...quantileRows(
        "under attack",
        attacked.flatMap(({ delaysMs }) => delaysMs),
      ),
      row("median p99 of the windows, quiet, ms", typicalP99(windowsOf(quiet))),
      row("median p99 of the windows, as much taken, ms", typicalP99(windowsOf(burnt))),
      row("median p99 of the windows, under attack, ms", typicalP99(windowsOf(attacked))),
      row("  ÷ quiet", ratio),
      row("  ÷ quiet, as much taken", typicalP99(windowsOf(attacked)) / typicalP99(windowsOf(burnt))),
      row("silent connections at a time, at least", least),
      row("dribbling at a time, at least", Math.min(...at.map(({ dribblingOpen }) => dribblingOpen))),
      row("connections of the flood a second", floodPerSecond),
      row("refused with 503", refused),
    ],
    notes: [
      pinned
        ? "servers on CPU 0; members and the attacker, at the lowest priority, on CPU 1"
        : "one CPU: the attacker takes the servers' time, so this says little",
      `a window is ${windowMessages} messages: its p99 is its third slowest`,
      `cores quiet: ${coresOf(quiet)}; under attack: ${coresOf(attacked)}`,
      `the gateway's loop delay, p99 / max of the last 5 s of each, ms: ${[quiet, burnt, attacked].map(loopDelays).join("; ")} (quiet; as much taken; attacked)`,
    ],
    failures: [
      ...(ratio > maxRatio ? [`p99 ratio ${ratio.toFixed(2)}, promised ${maxRatio}`] : []),
      ...(least < silent * 0.9 ? [`only ${least} connections were held at a time`] : []),
      ...(gone > 0 ? [`${gone} members were cut off`] : []),
    ],
  };
}

const p99 = ({ delaysMs }: Seen): number => quantile(delaysMs, 0.99);

/** What was seen of a state, in windows. */
const windowsOf = (all: readonly Seen[]): number[][] =>
  all.flatMap(({ delaysMs }) =>
    Array.from({ length: Math.ceil(delaysMs.length / windowMessages) }, (_, i) =>
      delaysMs.slice(i * windowMessages, (i + 1) * windowMessages),
    ),
  );

const loopDelays = (all: readonly Seen[]): string =>
  all.map(({ loopDelayMs: { p99, max } }) => `${p99.toFixed(0)} / ${max.toFixed(0)}`).join(", ");

/** Each service's, of the middle of all rounds. */
function coresOf(all: readonly Seen[]): string {
  const services = Object.keys(all[0]?.cores ?? {});
  if (services.length === 0) return "not known";
  return services
    .map((service) => `${service} ${median(all.map(({ cores }) => cores?.[service] ?? Number.NaN)).toFixed(2)}`)
    .join(", ");
}
