/**
 * `npm run load -- timers`: running timers on one worker, and then on two. Measured is what a gateway would see: from the
 * moment of a tick to its frame, through NATS.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect } from "@nats-io/transport-node";
import { patterns, readRecords } from "@parley/bus";
import { services, startStack } from "@parley/local";
import { openStore } from "@parley/store";
import { createHistogram, type Histogram } from "./histogram.ts";
import { UsageError } from "./options.ts";
import { cpuBetween, readCpu, type ServerProcess, totalCpu } from "./processes.ts";

export const timersHelp = `npm run load -- timers [--timers N] [--secs T]    running timers on one worker, then on two

  --timers N   timers that run at once, each in a room of its own [10000]
  --secs T     seconds measured with one worker, and again with two [15]
`;

interface Phase {
  lateness: Histogram;
  ticks: number;
  secs: number;
  /** Cores that each timer worker used, and NATS. */
  cores: Record<string, number>;
  /** Timers that each worker ticked at the end. */
  running: number[];
}

const inParallel = 200;

async function inBatches<Item>(items: Item[], work: (item: Item) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < items.length; i += inParallel) await Promise.all(items.slice(i, i + inParallel).map(work));
}

export async function runTimers(args: string[], announce: (line: string) => void): Promise<number> {
  const { count, measureMs } = readArgs(args);
  const parent = resolve(import.meta.dirname, "../../../.parley");
  mkdirSync(parent, { recursive: true });
  const stateDir = mkdtempSync(join(parent, "load-"));
  const undo: (() => unknown)[] = [() => rmSync(stateDir, { recursive: true, force: true })];
  try {
    mkdirSync(join(stateDir, "data"));
    const storeUrl = `sqlite:${join(stateDir, "data/parley.db")}`;
    announce(`making ${count} rooms`);
    const rooms = Array.from({ length: count }, (_, i) => `timer ${i}`);
    const store = await openStore(storeUrl);
    await inBatches(rooms, (name) =>
      store.rooms.create({
        ...{ name, key: Math.floor(Math.random() * 2 ** 47) + 1, visibility: "public", title: null, closed: false },
        ...{ receipts: false, retentionMs: null, retentionEntries: null, createdAtMs: Date.now(), version: 1 },
      }),
    );
    await store.close();

    const launch = (instances: number) =>
      startStack({
        ...{ checkoutDir: resolve(import.meta.dirname, "../../.."), stateDir, anyPorts: true, announce },
        services: services.filter(({ name }) => name === "timer"),
        instances: { timer: instances },
        env: { STORE_URL: storeUrl },
        onLine: (title, line) => {
          // Warnings and worse.
          if (/"level":[456]0/.test(line)) announce(`${title}: ${line}`);
        },
      });
    const stack = await launch(2);
    undo.push(stack.stop);
    const api = (instance: number) => `http://127.0.0.1:${stack.row("timer", instance).ports.internal}/v1/timers`;
    const headers = { Authorization: `Bearer ${stack.serviceToken}`, "Content-Type": "application/json" };
    // One of them sleeps, so that the other has all.
    process.kill(stack.row("timer", 2).pid, "SIGSTOP");
    undo.push(() => process.kill(stack.row("timer", 2).pid, "SIGCONT"));
    announce(`starting ${count} timers`);
    await inBatches(rooms, async (room) => {
      const started = await fetch(`${api(1)}/${encodeURIComponent(room)}/start`, {
        ...{ method: "POST", headers, body: '{"duration":3600}' },
      });
      if (!started.ok) throw new Error(`a timer could not be started: ${started.status} ${await started.text()}`);
    });

    const nc = await connect({ servers: stack.engines.nats?.url as string });
    undo.push(() => nc.close());
    let phase: Phase | null = null;
    nc.subscribe(patterns.roomsFromWorkers(), {
      callback: (_error, msg) => {
        if (!phase) return;
        const nowMs = Date.now();
        readRecords(msg.data, (_kind, _tag, _order, frame) => take(phase as Phase, frame.toString("utf8"), nowMs));
      },
    });
    const processes = (): ServerProcess[] =>
      stack.rows().map(({ service, instance, pid }) => ({ service: `${service} ${instance}`, pid }));
    const runningOn = async (instance: number): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${stack.row("timer", instance).ports.metrics}/metrics`)).text();
      return Number(/^parley_timer_running\{[^}]*\} (\d+)/m.exec(text)?.[1]);
    };
    const measure = async (workers: number[]): Promise<Phase> => {
      const before = readCpu(processes());
      const now: Phase = { lateness: createHistogram(), ticks: 0, secs: measureMs / 1_000, cores: {}, running: [] };
      phase = now;
      await sleep(measureMs);
      phase = null;
      const used = cpuBetween(before, readCpu(processes())) ?? {};
      for (const [name, secs] of Object.entries(used)) now.cores[name] = secs / now.secs;
      now.running = await Promise.all(workers.map(runningOn));
      return now;
    };

    await sleep(2_000);
    const one = await measure([1]);
    report("one worker", count, one);
    process.kill(stack.row("timer", 2).pid, "SIGCONT");
    announce("the second worker wakes");
    const untilMs = Date.now() + 20_000;
    while ((await runningOn(1)) > count * 0.75 && Date.now() < untilMs) await sleep(200);
    await sleep(2_000);
    const two = await measure([1, 2]);
    report("two workers", count, two);
    const [first = 0, second = 0] = two.running;
    const halves = Math.abs(first - second) < count * 0.3 && first + second === count;
    const failures = [
      ...(one.lateness.quantile(0.99) > 100_000 ? ["p99 of one worker is over 100 ms"] : []),
      ...(one.ticks < (count * measureMs) / 1_100 ? [`only ${one.ticks} ticks came`] : []),
      ...(halves ? [] : [`the workers have ${first} and ${second} timers`]),
    ];
    for (const failure of failures) process.stdout.write(`  FAILED: ${failure}\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  }
}

function take(phase: Phase, json: string, nowMs: number): void {
  const { timer } = JSON.parse(json) as { timer: { endsAt: string; remainingMs: number } };
  phase.ticks++;
  phase.lateness.add(Math.max(0, nowMs - (Date.parse(timer.endsAt) - timer.remainingMs)) * 1_000);
}

function report(title: string, count: number, { lateness, ticks, secs, cores, running }: Phase): void {
  const ms = (micros: number) => (micros / 1_000).toFixed(1);
  const lines = [
    `timers: ${count} running, ${title}`,
    `ticks/s: ${Math.round(ticks / secs)}, of each worker's timers: ${running.join(" and ")}`,
    `lateness p50 ${ms(lateness.quantile(0.5))} ms, p99 ${ms(lateness.quantile(0.99))} ms, max ${ms(lateness.maxMicros)} ms`,
    `CPU, cores: ${Object.entries(cores)
      .map(([name, share]) => `${name} ${share.toFixed(2)}`)
      .join(", ")} (${totalCpu(cores).toFixed(2)} altogether)`,
  ];
  process.stdout.write(`${lines.join("\n  ")}\n`);
}

function readArgs(args: string[]): { count: number; measureMs: number } {
  const options = { timers: { type: "string", default: "10000" }, secs: { type: "string", default: "15" } } as const;
  let values: { timers: string; secs: string };
  try {
    values = parseArgs({ args, options, strict: true }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message} (see --help)`);
  }
  const count = Number(values.timers);
  const secs = Number(values.secs);
  if (!Number.isInteger(count) || count < 1 || count > 100_000)
    throw new UsageError(`--timers: "${values.timers}" must be a whole number from 1 to 100000`);
  if (!(secs >= 1 && secs <= 3_600)) throw new UsageError(`--secs: "${values.secs}" must be a number from 1 to 3600`);
  return { count, measureMs: secs * 1_000 };
}
