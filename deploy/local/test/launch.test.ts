import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { nextFreePort, randomPortStart } from "../src/free-port.ts";
import { isAlive } from "../src/process-facts.ts";
import { type ProcessRow, readProcessesFile } from "../src/processes-file.ts";
import { tempStateDir } from "./fixture/stack.ts";

interface Launcher {
  child: ChildProcess;
  output(): string;
  rows(): ProcessRow[];
  /** Resolves when the output contains this; rejects when the launcher ends before, or after 20 s. */
  says(words: string): Promise<void>;
  exitCode: Promise<number | null>;
}

async function launch(t: TestContext, stateDir: string, ...args: string[]): Promise<Launcher> {
  const firstPort = await nextFreePort(randomPortStart(), new Set());
  const file = join(import.meta.dirname, "fixture/launch.ts");
  const child = spawn(process.execPath, [file, stateDir, String(firstPort), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const exitCode = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await exitCode;
  });
  return {
    child,
    output: () => output,
    rows: () => readProcessesFile(join(stateDir, "processes.json")),
    async says(words) {
      const endsAt = Date.now() + 20_000;
      while (!output.includes(words)) {
        const gone = child.exitCode !== null || child.signalCode !== null;
        if (gone || Date.now() > endsAt) throw new Error(`never said "${words}", but:\n${output}`);
        await sleep(20);
      }
    },
    exitCode,
  };
}

async function untilGone(pids: readonly number[]): Promise<void> {
  const endsAt = Date.now() + 10_000;
  while (pids.some(isAlive)) {
    if (Date.now() > endsAt) throw new Error(`still there: ${pids.filter(isAlive).join(", ")}`);
    await sleep(20);
  }
}

test("Ctrl-C drains, leaves no process, no table, and ends with 0", async (t) => {
  const stateDir = tempStateDir(t);
  const launcher = await launch(t, stateDir);
  await launcher.says("Parley is ready");
  const rows = launcher.rows();
  assert.equal(rows.length, 5);
  for (const { service, pid } of rows) assert.match(launcher.output(), new RegExp(`${service}.* ${pid} `));
  launcher.child.kill("SIGINT");
  // npm passes the terminal's Ctrl-C on, so it comes twice; that is not yet a second one.
  launcher.child.kill("SIGINT");
  assert.equal(await launcher.exitCode, 0);
  assert.match(launcher.output(), /stopped; nothing runs any more/);
  await untilGone(rows.map(({ pid }) => pid));
  for (const name of ["processes.json", "launcher.pid"]) assert.ok(!existsSync(join(stateDir, name)), name);
  assert.ok(existsSync(join(stateDir, "data")), "data stays");
});

test("a second start is refused with the first one's process id; the first goes on", async (t) => {
  const stateDir = tempStateDir(t);
  const first = await launch(t, stateDir, "--gateways", "1", "--chat", "1");
  await first.says("Parley is ready");
  const second = await launch(t, stateDir);
  assert.equal(await second.exitCode, 1);
  assert.match(second.output(), new RegExp(`runs in this checkout already \\(process ${first.child.pid}\\)`));
  assert.equal(first.rows().length, 3);
  assert.ok(first.rows().every(({ pid }) => isAlive(pid)));
});

test("when the launcher itself is killed, its processes end by themselves, and a new start works", async (t) => {
  const stateDir = tempStateDir(t);
  const first = await launch(t, stateDir, "--chat", "1");
  await first.says("Parley is ready");
  const pids = first.rows().map(({ pid }) => pid);
  first.child.kill("SIGKILL");
  await untilGone(pids);
  assert.ok(existsSync(join(stateDir, "processes.json")), "nobody was there to remove it");
  const second = await launch(t, stateDir, "--chat", "1");
  await second.says("Parley is ready");
  assert.ok(second.rows().every(({ pid }) => isAlive(pid)));
});

test("what an earlier run left behind is said and ended; a stranger with a reused process id is not touched", async (t) => {
  const stateDir = tempStateDir(t);
  const fixture = join(import.meta.dirname, "fixture/main.ts");
  const orphan = spawn(process.execPath, [fixture], { stdio: ["pipe", "ignore", "ignore"] });
  const stranger = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  t.after(() => [orphan, stranger].map((child) => child.kill("SIGKILL")));
  mkdirSync(stateDir, { recursive: true });
  const rows = [orphan, stranger].map(({ pid }, index) => ({ service: "chat", instance: index + 1, pid, ports: {} }));
  writeFileSync(join(stateDir, "processes.json"), JSON.stringify(rows));
  const launcher = await launch(t, stateDir, "--gateways", "1", "--chat", "0");
  await launcher.says("Parley is ready");
  assert.match(launcher.output(), new RegExp(`left chat 1 \\(process ${orphan.pid}\\) behind`));
  assert.ok(!isAlive(Number(orphan.pid)));
  assert.ok(isAlive(Number(stranger.pid)));
});

test("--fresh throws the data away and nothing else", async (t) => {
  const stateDir = tempStateDir(t);
  mkdirSync(join(stateDir, "data"), { recursive: true });
  mkdirSync(join(stateDir, "tools"), { recursive: true });
  for (const file of ["data/parley.db", "tools/installed"]) writeFileSync(join(stateDir, file), "kept?");
  const launcher = await launch(t, stateDir, "--fresh", "--gateways", "1", "--chat", "0");
  await launcher.says("Parley is ready");
  assert.match(launcher.output(), /began anew/);
  assert.ok(!existsSync(join(stateDir, "data/parley.db")));
  assert.ok(existsSync(join(stateDir, "tools/installed")));
});

test("an unknown flag: what is wrong, then the help, exit code 1", async (t) => {
  const launcher = await launch(t, tempStateDir(t), "--gatways", "3");
  assert.equal(await launcher.exitCode, 1);
  assert.match(launcher.output(), /Unknown option '--gatways'[\s\S]*--gateways N/);
});
