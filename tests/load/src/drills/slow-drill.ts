/** Some of a room's many members stop reading: the others must not notice, and those who come back must miss nothing. */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readLogs } from "../../../faults/check-logs.ts";
import { type Reader, startReader } from "../../../faults/reader.ts";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { connectTestClient } from "../../../support/websocket-client.ts";
import type { ScenarioReport } from "../report.ts";
import { quantile, quantileRows, row } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";

export interface SlowDrillOptions {
  members: number;
  slow: number;
  ratePerSecond: number;
  textBytes: number;
  /** Measured with all reading, and again with the slow ones not. */
  measureMs: number;
  /** The others' p99 with slow ones ÷ without. */
  maxRatio: number;
}

const room = "crowded";
const joiningAtOnce = 100;

export async function runSlowDrill(
  teardown: Teardown,
  options: SlowDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { members, slow: slowCount, ratePerSecond, textBytes, measureMs, maxRatio } = options;
  const stack = await startDrillStack(teardown, { gateways: 1, chatWorkers: 1, drainMs: 300, loadTest: true });
  const url = `${stack.wsUrl()}/ws`;
  let delays: number[] = [];
  const readers: Reader[] = [];
  for (let i = 0; i < members; i += joiningAtOnce) {
    const some = Array.from({ length: Math.min(joiningAtOnce, members - i) }, (_, n) =>
      startReader(teardown, {
        ...{ urls: [url], rooms: [room] },
        onEntry: (_room, { text }) => {
          if (i + n >= slowCount) delays.push(Date.now() - Number(text?.split(" ", 1)[0]));
        },
      }),
    );
    readers.push(...some);
    await Promise.all(some.map((reader) => reader.online()));
  }
  const slow = readers.slice(0, slowCount);
  const sender = await connectTestClient(url);
  teardown.after(() => sender.close());
  await sender.registerGuest();
  const pad = "x".repeat(textBytes);

  let sent = 0;
  /** Sends on time, whatever comes back, for so long; answers how long each took to those who read. */
  const measure = async (ms: number): Promise<number[]> => {
    delays = [];
    const startedAt = performance.now();
    const replies: Promise<unknown>[] = [];
    for (let n = 0; n < (ms * ratePerSecond) / 1_000; n++) {
      await sleep(Math.max(0, startedAt + (n * 1_000) / ratePerSecond - performance.now()));
      const text = `${Date.now()} ${pad}`;
      replies.push(sender.request("SendMessage", { room, clientMessageId: `${++sent}`, text }));
    }
    await Promise.all(replies);
    const allHave = () => readers.slice(slowCount).every((reader) => reader.heard(room).length >= sent);
    await waitFor("all who read to have it", allHave, { timeoutMs: 30_000 });
    return delays;
  };

  await measure(2_000);
  progress(`${members} members read`);
  const before = await measure(measureMs);
  const beforeMiB = memoryMiB(stack.row("gateway", 1).pid);
  let peakMiB = beforeMiB;
  const watching = setInterval(() => (peakMiB = Math.max(peakMiB, memoryMiB(stack.row("gateway", 1).pid))), 100);
  for (const reader of slow) reader.pause();
  progress(`${slowCount} of them stop reading`);
  const during = await measure(measureMs);
  const dropped = slow.filter(isGone).length;
  for (const reader of slow) reader.resume();
  progress("they read again");
  await waitFor("the slow ones to have everything", () => slow.every((each) => each.heard(room).length >= sent), {
    timeoutMs: 60_000,
  });
  clearInterval(watching);
  const log = (await readLogs(url, [room])).get(room) ?? [];
  const ids = JSON.stringify(log.map(({ clientMessageId }) => clientMessageId));
  const faulty = readers.filter((each) => each.faults.length > 0 || JSON.stringify(each.heard(room)) !== ids);
  const cutOff = slow.filter((reader) => reader.connections() > 1).length;
  const ratio = quantile(during, 0.99) / quantile(before, 0.99);
  return {
    title: `slow: ${slowCount} of ${members} members stop reading; ${ratePerSecond} messages/s of ${textBytes} bytes`,
    rows: [
      ...quantileRows("all read", before),
      ...quantileRows("the others while some don't", during),
      row("p99 with ÷ without", ratio),
      row("cut off meanwhile", Math.max(dropped, cutOff)),
      row("gateway MiB before", beforeMiB),
      row("gateway MiB at most", peakMiB),
      row("messages", sent),
    ],
    notes: [],
    failures: [
      ...(faulty.length > 0 ? [`${faulty.length} members did not hear everything, once and in order`] : []),
      ...(log.length !== sent ? [`${log.length} messages are stored, ${sent} were sent`] : []),
      ...(ratio > maxRatio ? [`p99 ratio ${ratio.toFixed(2)}, promised ${maxRatio}`] : []),
    ],
  };
}

const isGone = (reader: Reader): boolean => reader.closeCodes.length > 0;

/** What a process has in memory; 0 where the system does not tell. */
function memoryMiB(pid: number): number {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return 0;
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(file, "utf8"))?.[1]) / 1024);
}
