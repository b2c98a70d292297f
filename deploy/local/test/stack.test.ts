import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assignPorts } from "../src/assign-ports.ts";
import { nextFreePort, randomPortStart } from "../src/free-port.ts";
import { isAlive } from "../src/process-facts.ts";
import { readProcessesFile } from "../src/processes-file.ts";
import { startFixtureStack, tempStateDir } from "./fixture/stack.ts";

async function until(what: string, condition: () => unknown, timeoutMs = 5_000): Promise<void> {
  const endsAt = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > endsAt) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(10);
  }
}

test("all processes run, answer, and stand in processes.json; after the stop nothing is left", async (t) => {
  const { stack, stateDir } = await startFixtureStack(t);
  const file = join(stateDir, "processes.json");
  const rows = readProcessesFile(file);
  assert.deepEqual(
    rows.map(({ service, instance }) => `${service} ${instance}`),
    ["nats 1", "gateway 1", "gateway 2", "chat 1", "chat 2"],
  );
  for (const { service, instance, pid, ports } of rows) {
    assert.ok(isAlive(pid), `${service} ${instance} lives`);
    for (const [kind, port] of Object.entries(ports)) {
      if (kind === "client" || kind === "metrics") continue;
      assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200, `${service} ${instance} ${kind}`);
    }
  }
  assert.match(stack.engines.nats?.description ?? "", /nats|NATS/);
  await stack.stop();
  assert.ok(!existsSync(file));
  for (const { service, pid } of rows) assert.ok(!isAlive(pid), `${service} is gone`);
});

test("gateways are gone before the first worker stops, workers before NATS", async (t) => {
  const { stack, lines } = await startFixtureStack(t, { instances: { gateway: 1, chat: 1 } });
  await stack.stop();
  const stops = lines.filter((line) => line.includes("stopping")).map((line) => line.split(":")[0]);
  assert.deepEqual(stops, ["gateway 1", "chat 1"]);
});

test("a killed process is back within a second on the same ports, and processes.json says so", async (t) => {
  const { stack, stateDir, said } = await startFixtureStack(t, { instances: { gateway: 1, chat: 1 } });
  for (const [service, kind] of [
    ["chat", "internal"],
    ["gateway", "public"],
    ["nats", "client"],
  ] as const) {
    const before = stack.row(service, 1);
    const killedAt = Date.now();
    stack.kill(service, 1, "SIGKILL");
    await until(`${service} to be back`, () => {
      const now = readProcessesFile(join(stateDir, "processes.json")).find((row) => row.service === service);
      return now !== undefined && now.pid !== before.pid && now.ports[kind] === before.ports[kind];
    });
    assert.ok(Date.now() - killedAt < 1_000, `${service} took ${Date.now() - killedAt} ms`);
    assert.equal(stack.restarts(service, 1), 1);
    await until(`${service} to be ready`, () => said.some((line) => /is back/.test(line) && line.startsWith(service)));
  }
});

test("a port in use: the next one, said aloud, and the other wishes keep theirs", async (t) => {
  const first = await nextFreePort(randomPortStart(), new Set());
  const blocker = createServer().listen(first, "127.0.0.1");
  t.after(() => blocker.close());
  await new Promise((resolve) => blocker.once("listening", resolve));
  const said: string[] = [];
  const wishes = [1, 2].map((instance) => ({
    title: `gateway ${instance}`,
    port: first + instance - 1,
    nextFrom: first + 2,
  }));
  const ports = await assignPorts(wishes, (line) => said.push(line));
  assert.notEqual(ports[0], first);
  assert.equal(ports[1], first + 1);
  assert.deepEqual(said, [`port ${first} is in use, gateway 1 takes ${ports[0]}`]);
});

test("a service that can't start: its own words in the error, and nothing left running", async (t) => {
  const stateDir = tempStateDir(t);
  const pids = new Set<number>();
  const failing = startFixtureStack(t, {
    stateDir,
    env: { FIXTURE_FAULT: "exit" },
    announce: () => {
      for (const { pid } of readProcessesFile(join(stateDir, "processes.json"))) pids.add(pid);
    },
  });
  await assert.rejects(failing, /ended with exit code 1 3 times in a row[\s\S]*FIXTURE_FAULT is set to exit; unset it/);
  assert.ok(!existsSync(join(stateDir, "processes.json")));
  for (const pid of pids) assert.ok(!isAlive(pid));
});

test("a service that is never ready is named, with its last lines", async (t) => {
  const failing = startFixtureStack(t, { env: { FIXTURE_FAULT: "never-ready" }, readyTimeoutMs: 1_500 });
  await assert.rejects(failing, /(gateway|chat) \d was not ready within 1.5 s; the last it said[\s\S]*started/);
});

test("a stop while it starts ends what was started", async (t) => {
  const stateDir = tempStateDir(t);
  const stopped = new AbortController();
  const starting = startFixtureStack(t, {
    ...{ stateDir, env: { FIXTURE_FAULT: "never-ready" }, signal: stopped.signal },
    onLine: () => stopped.abort(new Error("no longer wanted")),
  });
  await assert.rejects(starting, /no longer wanted/);
  assert.ok(!existsSync(join(stateDir, "processes.json")));
});

test("secrets are made once and are for their owner's eyes only", async (t) => {
  const stateDir = tempStateDir(t);
  const read = () => ["guest-key", "service-token"].map((name) => readFileSync(join(stateDir, name), "utf8").trim());
  const first = await startFixtureStack(t, { stateDir, instances: { gateway: 1, chat: 0 } });
  await first.stack.stop();
  const secrets = read();
  assert.equal(secrets[1], first.stack.serviceToken);
  for (const name of ["guest-key", "service-token"]) assert.equal(statSync(join(stateDir, name)).mode & 0o777, 0o600);
  await startFixtureStack(t, { stateDir, instances: { gateway: 1, chat: 0 } });
  assert.deepEqual(read(), secrets);
});
