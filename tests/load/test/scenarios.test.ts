import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { startTestStack, type TestStack } from "../../support/start-stack.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { openConnection } from "../src/connection.ts";
import { type FanoutFigures, runFanout } from "../src/fanout.ts";
import { runIdle } from "../src/idle.ts";
import { readTarget } from "../src/options.ts";
import { canMeasureProcesses } from "../src/processes.ts";
import { runSend } from "../src/send.ts";
import { createParleySide, type Side, startBareSide } from "../src/side.ts";

const main = resolve(import.meta.dirname, "../src/main.ts");
const timing = { textBytes: 60, measureMs: 300, warmupMs: 100, drainMs: 10_000, inflight: 8, spin: false };
const quiet = () => {};

/** What must hold on any server: all that was sent came to each listener once, in order, and was answered. */
function assertWhole(figures: FanoutFigures): void {
  const { lost, repeated, outOfOrder, seqBreaks, unanswered, refused, disconnects } = figures;
  assert.deepEqual(
    { lost, repeated, outOfOrder, seqBreaks, unanswered, refused, disconnects },
    { lost: 0, repeated: 0, outOfOrder: 0, seqBreaks: 0, unanswered: 0, refused: {}, disconnects: 0 },
  );
  assert.ok(figures.delivered > 0 && figures.latency.count > 0 && figures.latency.maxMicros > 0);
}

async function tryEachScenario(side: Side): Promise<void> {
  const fanout = { rooms: 2, members: 3, publishers: 2, ratePerSecond: 50, ...timing };
  assertWhole(await runFanout(side, fanout, "fanout-smoke", quiet));
  assertWhole(await runFanout(side, { ...fanout, spin: true }, "fanout-spin", quiet));

  for (const rooms of [4, 2]) {
    const send = await runSend(side, { conns: 4, window: 3, rooms, ...timing }, `send-smoke-${rooms}`, quiet);
    const { unanswered, repeated, seqBreaks, refused } = send;
    assert.deepEqual(
      { unanswered, repeated, seqBreaks, refused },
      { unanswered: 0, repeated: 0, seqBreaks: 0, refused: {} },
    );
    assert.ok(send.acked > 0 && send.latency.count === send.acked);
    if (canMeasureProcesses) assert.ok(send.serverCpu !== null);
  }

  const idle = await runIdle(side, { conns: 12, rooms: 3, holdMs: 50, inflight: 4 }, "idle-smoke", quiet);
  assert.equal(idle.disconnects, 0);
  assert.ok(idle.connectSecs > 0);
  if (canMeasureProcesses) assert.ok(idle.bytesPerConnection !== null);
}

test("each scenario runs against the bare server", async (t) => {
  const bare = await startBareSide(null);
  t.after(bare.stop);
  await tryEachScenario(bare.side);
});

const processesOf = (stack: TestStack) => stack.rows().map(({ service, pid }) => ({ service, pid }));

test("each scenario runs against Parley, through two gateways", async (t) => {
  const stack = await startTestStack(t, { loadTest: true });
  const targets = [readTarget(stack.wsUrl(1)), readTarget(stack.wsUrl(2))];
  await tryEachScenario(createParleySide(targets, processesOf(stack)));

  // The command as a person runs it.
  const json = join(tempDir(t), "figures.json");
  const pids = stack.rows().map(({ service, pid }) => `${service}=${pid}`);
  const target = `${stack.wsUrl(1)},${stack.wsUrl(2)}`;
  const options = "--conns 4 --window 2 --secs 0.3 --warmup 0.1 --rounds 2".split(" ");
  const run = spawn(process.execPath, [
    main,
    "send",
    "--target",
    target,
    "--pids",
    pids.join(),
    "--json",
    json,
    ...options,
  ]);
  const [stdout, stderr, [code]] = await Promise.all([text(run.stdout), text(run.stderr), once(run, "exit")]);
  assert.equal(code, 0, stdout + stderr);
  if (!canMeasureProcesses) return;
  assert.match(stdout, /sends per CPU-second: ours [\d,.]+, bare [\d,.]+, ratio \d+\.\d\d/);
  const { scenarios } = JSON.parse(readFileSync(json, "utf8"));
  assert.equal(scenarios[0].settings.conns, 4);
  assert.deepEqual(scenarios[0].failures, []);
});

test("refusals are counted and named, here those of a session's rate limit", async (t) => {
  const stack = await startTestStack(t, { gateways: 1, chat: 1 });
  const side = createParleySide([readTarget(stack.wsUrl())], processesOf(stack));
  const settings = { rooms: 1, members: 1, publishers: 1, ratePerSecond: 400, ...timing };
  // 160 sends: over the burst of 100, under the 200 refusals that would end the session.
  const { refused, lost, unanswered } = await runFanout(side, settings, "limited", quiet);
  assert.ok(refused.rate_limited! > 0, JSON.stringify(refused));
  assert.deepEqual({ lost, unanswered }, { lost: 0, unanswered: 0 });
});

test("a server that is not there, or is no WebSocket server, is named in the error", async (t) => {
  const server = createServer((_request, response) => response.end("hello")).listen(0, "127.0.0.1");
  t.after(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const open = () => openConnection({ host: "127.0.0.1", port }, "/ws", { timeoutMs: 5000 });
  server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
  await assert.rejects(open(), /the handshake was answered with "HTTP\/1\.1 503 .*--load-test/);
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  await assert.rejects(open(), { message: new RegExp(`ws://127.0.0.1:${port}/ws: .*ECONNREFUSED`) });
});
