import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import test from "node:test";
import { restartDelayMs, supervise } from "../src/supervise.ts";

/** Supervises a line of JavaScript and keeps what is said of it. */
function superviseScript(script: string, isReady: (lines: readonly string[]) => boolean) {
  const said: string[] = [];
  const lines: string[] = [];
  const supervised = supervise({
    title: "worker 1",
    spawn: () => spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "pipe"] }),
    isReady: async () => isReady(lines),
    onPid: () => {},
    onLine: (line) => lines.push(line),
    announce: (line) => said.push(line),
  });
  return { supervised, said };
}

test("the first death is made up for at once, dying again and again ever more slowly, never more than 5 s", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 100].map(restartDelayMs), [100, 500, 1_000, 2_000, 5_000, 5_000, 5_000]);
});

test("a process that can't start is told with its last lines", async (t) => {
  const { supervised } = superviseScript("console.error('PORT is not a number: set it'); process.exit(1)", () => false);
  t.after(() => supervised.stop(1_000));
  await assert.rejects(supervised.whenReady(20_000), (error: Error) => {
    assert.match(error.message, /worker 1 ended with exit code 1 3 times in a row; the last it said/);
    assert.match(error.message, /PORT is not a number: set it/);
    return true;
  });
});

test("a process that is never ready is named", async (t) => {
  const { supervised } = superviseScript("setInterval(() => {}, 1000)", () => false);
  t.after(() => supervised.stop(1_000));
  await assert.rejects(supervised.whenReady(300), /worker 1 was not ready within 0.3 s/);
});

test("a process that ignores SIGTERM is killed after its grace", async () => {
  const { supervised, said } = superviseScript(
    "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')",
    (lines) => lines.includes("up"),
  );
  await supervised.whenReady(5_000);
  await supervised.stop(200);
  assert.equal(supervised.pid(), null);
  assert.deepEqual(said, ["worker 1 did not stop within 0.2 s and is killed"]);
});
