import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "../src/index.ts";
import { startTracing } from "../src/tracing.ts";

const start = (ratio: number) =>
  startTracing({
    ...{ service: "trial", version: "1.2.3", instance: "1", ratio },
    endpoint: "http://127.0.0.1:1",
    logger: () => createLogger({ service: "trial", instance: "1", level: "silent" }),
  });

test("a span goes on with the one it is within, across awaits, and with one from elsewhere", async () => {
  const tracing = await start(1);
  const root = tracing.start("root");
  assert.ok(root);
  assert.match(root.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const traceOf = (span: { traceparent: string } | null) => span?.traceparent.slice(3, 35);
  await tracing.within(root, async () => {
    await sleep(1);
    assert.equal(tracing.current(), root);
    assert.equal(traceOf(tracing.child("child")), traceOf(root));
  });
  assert.equal(tracing.current(), null);
  assert.equal(tracing.child("nobody's"), null);
  const elsewhere = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  assert.equal(traceOf(tracing.follow(elsewhere, "on")), "0af7651916cd43dd8448eb211c80319c");
  assert.notEqual(traceOf(tracing.follow("nonsense", "on")), undefined);
});

test("the share of traces that is kept is the one that was asked for", async () => {
  const tracing = await start(0.1);
  const kept = Array.from({ length: 5_000 }, () => tracing.start("one")).filter((span) => span !== null).length;
  assert.ok(kept > 350 && kept < 650, `${kept} of 5000`);
  assert.equal((await start(0)).start("one"), null);
});
