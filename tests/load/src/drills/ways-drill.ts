/** The same talk by each way in, and what it costs the gateway. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { readCpu, residentBytesOf, type ServerProcess } from "../processes.ts";
import type { Row, ScenarioReport } from "../report.ts";
import { quantile, row } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";
import { openWay, type Visitor, type Way, ways } from "./ways.ts";

export interface WaysDrillOptions {
  rooms: number;
  /** In each room; one of them sends. */
  members: number;
  /** Of each sender. */
  ratePerSecond: number;
  textBytes: number;
  measureMs: number;
}

interface Figures {
  deliveries: number;
  /** Of gateway CPU for each delivery, with its share of the sends. */
  microsEach: number;
  delaysMs: number[];
  kibEach: number;
}

/** Connections that only listen, to quiet rooms. */
const idle = 300;

export async function runWaysDrill(
  teardown: Teardown,
  options: WaysDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { rooms, members, ratePerSecond, textBytes } = options;
  const rows: Row[] = [];
  let native: Figures | null = null;
  for (const way of ways) {
    // A gateway of its own for each: what one has made it allocate the next would have for nothing.
    const undo: (() => unknown)[] = [];
    const own: Teardown = { after: (step) => void undo.push(step) };
    const undoAll = async () => {
      for (let step = undo.pop(); step; step = undo.pop()) await step();
    };
    teardown.after(undoAll);
    progress(way);
    const figures = await measureWay(own, way, options);
    await undoAll();
    native ??= figures;
    rows.push(
      row(`${way}: gateway µs per delivery`, figures.microsEach),
      row(`${way}: ÷ WebSocket's`, figures.microsEach / native.microsEach),
      row(`${way}: KiB of gateway per connection`, figures.kibEach),
      row(`${way}: latency p50, ms`, quantile(figures.delaysMs, 0.5)),
      row(`${way}: latency p99, ms`, quantile(figures.delaysMs, 0.99)),
    );
  }
  const title = `ways: ${rooms} rooms × ${members}, ${ratePerSecond} messages/s in each, of ${textBytes} bytes, by each way in`;
  return { title, rows, notes: [], failures: [] };
}

async function measureWay(teardown: Teardown, way: Way, options: WaysDrillOptions): Promise<Figures> {
  const { rooms, members, ratePerSecond, textBytes, measureMs } = options;
  const stack = await startDrillStack(teardown, { gateways: 1, chatWorkers: 1, drainMs: 300, loadTest: true });
  const base = stack.httpUrl();
  const gateway: ServerProcess = { service: "gateway", pid: stack.row("gateway", 1).pid };
  let delaysMs: number[] = [];
  const heard = (text: string) => void delaysMs.push(Date.now() - Number(text.split(" ", 1)[0]));
  const open = (i: number) => openWay(way, base, `room ${i % rooms}`, heard);
  const visitors: Visitor[] = [];
  teardown.after(async () => void (await Promise.all(visitors.map((visitor) => visitor.close()))));
  for (let i = 0; i < rooms * members; i++) visitors.push(await open(i));
  // Memory by those who come after: the first ones make the gateway compile and allocate what it takes.
  const bytesBefore = residentBytesOf(gateway);
  for (let i = 0; i < idle; i++) visitors.push(await openWay(way, base, `quiet room ${i % rooms}`, heard));
  const kibEach = (residentBytesOf(gateway) - bytesBefore) / 1024 / idle;

  const pad = "x".repeat(textBytes);
  let sent = 0;
  const talk = async (ms: number) => {
    const everyMs = 1_000 / ratePerSecond;
    const sends: Promise<void>[] = [];
    const startedAt = performance.now();
    for (let n = 0; n * everyMs < ms; n++)
      for (const [room, visitor] of visitors.slice(0, rooms).entries()) {
        // Spread over the time: rooms don't speak all at once.
        await sleep(Math.max(0, startedAt + (n + room / rooms) * everyMs - performance.now()));
        sends.push(visitor.send(`${Date.now()} ${pad}`, `m${++sent}`));
      }
    await Promise.all(sends);
  };
  await talk(1_500);
  delaysMs = [];
  const sentBefore = sent;
  const cpuBefore = readCpu([gateway]);
  await talk(measureMs);
  await waitFor("all deliveries", () => delaysMs.length >= (sent - sentBefore) * members, { timeoutMs: 20_000 });
  const cpuSecs = (readCpu([gateway])?.gateway ?? Number.NaN) - (cpuBefore?.gateway ?? Number.NaN);
  return { deliveries: delaysMs.length, microsEach: (1e6 * cpuSecs) / delaysMs.length, delaysMs, kibEach };
}
