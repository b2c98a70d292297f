/** `npm run load`: reads the command line, finds or starts what is loaded, runs the scenarios, prints the figures. */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { runDrill } from "./drills/run-drill.ts";
import { helpText, isDrill, type LoadName, type Options, readOptions, UsageError } from "./options.ts";
import { checkPinning, pinProcess } from "./pinning.ts";
import { type Outcome, plansOf, runPlan } from "./plan.ts";
import { canMeasureProcesses } from "./processes.ts";
import { createProgress } from "./progress.ts";
import { formatReport, reportOf, type ScenarioReport } from "./report.ts";
import { findServers } from "./servers.ts";
import { createParleySide, startBareSide } from "./side.ts";
import { runTimers, timersHelp } from "./timers.ts";

const progress = createProgress(process.stderr);
/** What the run started or changed, undone in reverse. */
const undo: (() => unknown)[] = [];

let undoing: Promise<void> | null = null;

/** Undoes once; whoever asks again (a signal while the run fails) waits for the same. */
function undoAll(): Promise<void> {
  undoing ??= (async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  })();
  return undoing;
}

async function run(options: Options): Promise<boolean> {
  const { scenario } = options;
  if (!isDrill(scenario)) return runLoad({ ...options, scenario });
  const teardown = { after: (step: () => unknown) => void undo.push(step) };
  const report = await runDrill(teardown, { ...options, scenario }, progress.line);
  process.stdout.write(`${formatReport(report)}\n`);
  if (options.jsonFile !== null) writeJson(options.jsonFile, options, [{ scenario, ...report }]);
  return report.failures.length === 0;
}

async function runLoad(options: Options & { scenario: LoadName }): Promise<boolean> {
  checkPinning(options.pinServer, options.pinClient);
  const servers = await findServers(options, progress.line);
  undo.push(servers.stop);
  const bare = options.bare ? await startBareSide(options.pinServer) : null;
  if (bare !== null) undo.push(bare.stop);
  if (options.pinServer !== null)
    for (const { pid } of servers.processes) undo.push(pinProcess(pid, options.pinServer));
  // Last, so that nothing that was started inherits it.
  if (options.pinClient !== null) undo.push(pinProcess(process.pid, options.pinClient));

  progress.line(`loading ${servers.description}`);
  for (const warning of warningsOf(options, servers.processes)) progress.line(`note: ${warning}`);
  const ours = createParleySide(servers.targets, servers.processes);
  const reports: ScenarioReport[] = [];
  const outcomes: Outcome[] = [];
  for (const plan of plansOf(options)) {
    const outcome = await runPlan(plan, ours, bare?.side ?? null, progress);
    const report = reportOf(outcome);
    progress.clear();
    process.stdout.write(`${formatReport(report)}\n\n`);
    outcomes.push(outcome);
    reports.push(report);
  }
  if (options.jsonFile !== null) {
    const of = (i: number) => ({ scenario: outcomes[i]!.scenario, settings: outcomes[i]!.settings });
    writeJson(
      options.jsonFile,
      options,
      reports.map((report, i) => ({ ...of(i), ...report })),
    );
  }
  return reports.every(({ failures }) => failures.length === 0);
}

function warningsOf(options: Options, processes: { service: string }[]): string[] {
  if (!canMeasureProcesses) return [`server CPU and memory are read from /proc, which ${process.platform} has not`];
  if (processes.length === 0) return ["the server's processes are not known, so neither is their CPU: give --pids"];
  const warnings: string[] = [];
  if (!processes.some(({ service }) => service === "nats") && options.processes === null)
    warnings.push("NATS is not a process of the launcher's here, so its CPU is not counted");
  if (options.pinClient === null && availableParallelism() < 2)
    warnings.push("servers and generator share this machine's one CPU: latencies hold both");
  return warnings;
}

function writeJson(file: string, options: Options, scenarios: (ScenarioReport & { scenario: string })[]): void {
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? "unknown", node: process.version };
  const { pinServer, pinClient, spin } = options;
  const figures = { at: new Date().toISOString(), machine, pinServer, pinClient, spin, scenarios };
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
}

async function main(): Promise<number> {
  try {
    const [scenario, ...rest] = process.argv.slice(2);
    if (scenario === "timers" && !rest.includes("--help")) return await runTimers(rest, progress.line);
    const options = readOptions(process.argv.slice(2));
    if (options === "help") {
      process.stdout.write(`${helpText}\n${timersHelp}`);
      return 0;
    }
    return (await run(options)) ? 0 : 1;
  } catch (error) {
    progress.line(`load: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof UsageError ? 2 : 1;
  } finally {
    await undoAll();
  }
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => void undoAll().finally(() => process.exit(code)));

process.exit(await main());
