import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger, createMetrics, createTally } from "../src/index.ts";

const make = () => {
  const logger = createLogger({ service: "trial", instance: "1", level: "silent" });
  return createMetrics({ service: "trial", version: "1.2.3", logger });
};

const linesOf = async (metrics: ReturnType<typeof make>, name: string) =>
  (await metrics.text()).split("\n").filter((line) => line.startsWith(name));

test("counts are read when asked for, and labels are escaped", async () => {
  const metrics = make();
  let count = 0;
  metrics.counter("trial_total", "Trials", () => [[{ what: 'a "b"\n\\c' }, count]]);
  count = 3;
  assert.deepEqual(await linesOf(metrics, "trial_total"), [
    String.raw`trial_total{what="a \"b\"\n\\c",service="trial"} 3`,
  ]);
});

test("a tally is a histogram whose buckets hold all that is not longer", async () => {
  const metrics = make();
  const tally = createTally([0.001, 0.01]);
  for (const ms of [0.5, 1, 5, 50]) tally.add(ms);
  metrics.histogram("trial_seconds", "Trials", () => tally);
  assert.deepEqual(
    (await linesOf(metrics, "trial_seconds")).map((line) => line.replace(',service="trial"', "")),
    [
      'trial_seconds_bucket{le="0.001"} 2',
      'trial_seconds_bucket{le="0.01"} 3',
      'trial_seconds_bucket{le="+Inf"} 4',
      'trial_seconds_sum{service="trial"} 0.0565',
      'trial_seconds_count{service="trial"} 4',
    ],
  );
});

test("a metric that can't be read, or not in time, is left out and holds up nothing else", async () => {
  const metrics = make();
  metrics.gauge("trial_broken", "Broken", () => Promise.reject(new Error("the queue is away")));
  metrics.gauge("trial_hanging", "Hanging", () => sleep(60_000, 1, { ref: false }));
  metrics.gauge("trial_fine", "Fine", () => 7);
  assert.deepEqual(await linesOf(metrics, "trial_"), ['trial_fine{service="trial"} 7']);
});

test("GET /metrics on a port of its own, and nothing else there", async (t) => {
  const { port } = await listen(t);
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await answer.text(), /^process_resident_memory_bytes\{service="trial"\} \d+$/m);
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404);
  assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`, { method: "POST" })).status, 404);
});

test("a port in use is said, with the setting to change", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  await assert.rejects(make().listen({ host: "127.0.0.1", port }), /Port \d+ can't be listened on .* Set METRICS_PORT/);
});

async function listen(t: TestContext) {
  const listening = await make().listen({ host: "127.0.0.1", port: 0 });
  t.after(() => listening.close());
  return listening;
}
