/**
 * A pod's end, by the times that its manifest says: preStop, in which it serves as before, then SIGTERM and the paced drain. The
 * development overlay's times unless PARLEY_LONG is set, then production's.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startTestStack } from "../support/start-stack.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import { environmentOf } from "./pod-environment.ts";
import { cannotRender, renderOverlay, workloadsOf } from "./rendered.ts";

const overlay = process.env.PARLEY_LONG ? "production" : "dev";
const clientCount = process.env.PARLEY_LONG ? 1_000 : 200;

test("[S6] a gateway's pod ends within its grace: clients leave evenly, with all answers", {
  skip: cannotRender,
}, async (t) => {
  const manifests = renderOverlay(`overlays/${overlay}`);
  const pod = workloadsOf(manifests).find(({ metadata }) => metadata.name === "gateway")?.pod;
  const [container] = pod?.containers ?? [];
  assert.ok(pod && container);
  // Secrets play no part in the times.
  const plain = { ...container, env: (container.env ?? []).filter(({ valueFrom }) => !valueFrom?.secretKeyRef) };
  const drainMs = Number(environmentOf(plain, manifests, {}).DRAIN_MS);
  const preStopMs = (container.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000;
  const graceMs = (pod.terminationGracePeriodSeconds ?? 30) * 1_000;

  const stack = await startTestStack(t, { gateways: 1, chat: 1, drainMs, loadTest: true });
  const clients = await Promise.all(
    Array.from({ length: clientCount }, () => connectTestClient(`${stack.wsUrl()}/ws`)),
  );
  await Promise.all(clients.map((client) => client.registerGuest()));

  const begunAtMs = performance.now();
  const elapsed = () => performance.now() - begunAtMs;
  await sleep(preStopMs);
  const last = await connectTestClient(`${stack.wsUrl()}/ws`);
  await last.registerGuest();
  clients.push(last);
  stack.terminate("gateway", 1);
  const termAtMs = performance.now();

  const leaves = await Promise.all(
    clients.map(async (client, i) => {
      const told = await client.waitForEvent("Drain", undefined, drainMs + 10_000);
      const { reconnectAfterMs } = told.data as { reconnectAfterMs: number };
      // What was asked before the end is answered before the end.
      const reply = await client.send("SendMessage", { room: `drain-${i % 10}`, clientMessageId: `${i}`, text: "bye" });
      const { code } = await client.closed;
      return { reconnectAfterMs, code, acknowledged: reply.success, leftAfterMs: performance.now() - termAtMs };
    }),
  );
  const endedMs = elapsed();
  assert.ok(leaves.every(({ code }) => code === 4001));
  assert.equal(
    leaves.filter(({ acknowledged }) => acknowledged).length,
    clients.length,
    "every message sent is acknowledged",
  );
  const sorted = leaves.map(({ leftAfterMs }) => leftAfterMs).sort((a, b) => a - b);
  const within = (fromMs: number, toMs: number) =>
    sorted.filter((ms) => ms >= fromMs && ms < toMs).length / clients.length;
  const worst = Math.max(...Array.from({ length: 10 }, (_, i) => within((i * drainMs) / 10, ((i + 1) * drainMs) / 10)));
  assert.ok(worst <= 0.3, `at most three tenths leave in one tenth of the time, not ${worst}`);
  assert.ok((sorted.at(-1) as number) <= drainMs + 3_500, "the last leaves with the drain's end");
  for (const { reconnectAfterMs } of leaves) assert.ok(reconnectAfterMs >= 0 && reconnectAfterMs <= drainMs);
  assert.ok(endedMs < graceMs, `${endedMs} ms of ${graceMs}`);
  const seconds = (ms: number) => (ms / 1_000).toFixed(1);
  t.diagnostic(
    `${overlay}: ${clients.length} clients, preStop ${seconds(preStopMs)} s, drain ${seconds(drainMs)} s: half gone after ` +
      `${seconds(sorted[Math.floor(sorted.length / 2)] as number)} s, the last after ${seconds(sorted.at(-1) as number)} s, ` +
      `at most ${(worst * 100).toFixed(0)} % in a tenth of the time; ended ${seconds(endedMs)} s after its end began, of ${seconds(graceMs)} s`,
  );
});
