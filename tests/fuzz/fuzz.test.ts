// 50,000 frames and as many messages of the bus with seeds that are kept, and one seed of the day's; `npm run fuzz -- 1000000` for more.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { fuzzBus, fuzzFrames, fuzzSettings } from "./run-fuzz.ts";

/** What once found something, or might again. */
const seeds = [1, 20_261_121, 0xdecade];
const framesInAll = 50_000;
const today = Math.floor(Date.now() / 86_400_000);

const stack = await startTestStack(
  { after },
  { gateways: 1, chat: 1, presence: 1, timers: 1, notify: 1, loadTest: true, env: fuzzSettings },
);

const residentMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

test("[S2] frames of nearly the right shape: no crash, one answer each, memory flat", async () => {
  const pids = stack.rows().map(({ pid }) => pid);
  const run = (seed: number, frames: number) => fuzzFrames({ urls: [`${stack.wsUrl()}/ws`], frames, seed });
  const perSeed = Math.ceil(framesInAll / (seeds.length + 1));
  let total = 0;
  let refused = 0;
  let before: number[] = [];
  for (const seed of [...seeds, today]) {
    const report = await run(seed, perSeed);
    total += report.frames;
    refused += report.refused;
    // The first round warms code and caches up.
    if (before.length === 0) before = pids.map(residentMiB);
  }
  assert.ok(total >= framesInAll, `${total} frames`);
  assert.ok(refused > total / 10 && refused < total, `${refused} refused`);
  assert.deepEqual(
    stack.rows().map(({ pid }) => pid),
    pids,
  );
  pids.forEach((pid, i) => {
    const grew = residentMiB(pid) - (before[i] as number);
    assert.ok(grew < 150, `process ${pid} grew by ${grew.toFixed(0)} MiB`);
  });
});

test("messages of the bus, bent: each decoder refuses or reads them, and does nothing else", () => {
  for (const seed of [...seeds, today]) fuzzBus(framesInAll / 4, seed);
});
