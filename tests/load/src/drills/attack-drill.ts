/** Connections that never register, handshakes that dribble, a flood from one address: members must not notice. */
import { fork } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../../../support/websocket-client.ts";
import type { ScenarioReport } from "../report.ts";
import type { AttackCounts, AttackOrder } from "./attacker.ts";
import { quantile, quantileRows, row } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";

export interface AttackDrillOptions {
  members: number;
  silent: number;
  dribbling: number;
  flooding: number;
  ratePerSecond: number;
  measureMs: number;
  /** The members' p99 under attack ÷ quiet. */
  maxRatio: number;
}

const room = "under attack";

export async function runAttackDrill(
  teardown: Teardown,
  options: AttackDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { members, silent, dribbling, flooding, ratePerSecond, measureMs, maxRatio } = options;
  // Limits as in production: they are what is tried.
  const stack = await startDrillStack(teardown, { gateways: 1, chatWorkers: 1, drainMs: 300 });
  const clients: TestClient[] = [];
  for (let i = 0; i < members; i++) {
    const client = await connectTestClient(`${stack.wsUrl()}/ws`);
    teardown.after(() => client.socket.terminate());
    await client.registerGuest();
    await client.request("JoinRoom", { room });
    clients.push(client);
    await sleep(25);
  }
  let sent = 0;
  const measure = async (ms: number): Promise<number[]> => {
    const delays: number[] = [];
    const replies: Promise<unknown>[] = [];
    const startedAt = performance.now();
    for (let n = 0; n < (ms * ratePerSecond) / 1_000; n++) {
      await sleep(Math.max(0, startedAt + (n * 1_000) / ratePerSecond - performance.now()));
      const sender = clients[n % members]!;
      const atMs = performance.now();
      const sending = sender.request("SendMessage", { room, clientMessageId: `m${++sent}`, text: "x" });
      replies.push(sending.then(() => delays.push(performance.now() - atMs)));
    }
    await Promise.all(replies);
    return delays;
  };

  await measure(3_000);
  const quiet = await measure(measureMs);
  progress("quiet measured; the attack begins");
  const attacker = fork(join(import.meta.dirname, "attacker.ts"), { stdio: "inherit" });
  teardown.after(() => void attacker.kill("SIGKILL"));
  let counts: AttackCounts = { silentOpen: 0, silentOpened: 0, dribblingOpen: 0, flooded: 0, refused: 0 };
  attacker.on("message", (told: AttackCounts) => {
    counts = told;
  });
  attacker.send({ port: Number(new URL(stack.httpUrl()).port), silent, dribbling, flooding } satisfies AttackOrder);
  await waitFor("the attack to be in full", () => counts.silentOpened >= silent * 0.8, { timeoutMs: 60_000 });
  const before = counts;
  progress(
    `${counts.silentOpen} silent connections, ${counts.dribblingOpen} dribbling, ${counts.flooded} of the flood`,
  );
  const during = await measure(measureMs);
  const ratio = quantile(during, 0.99) / quantile(quiet, 0.99);
  const gone = clients.filter(({ socket }) => socket.readyState !== socket.OPEN).length;
  return {
    title: `attack: ${silent} never register, ${dribbling} dribble, a flood from one address; ${members} members, ${ratePerSecond} messages/s`,
    rows: [
      ...quantileRows("quiet", quiet),
      ...quantileRows("under attack", during),
      row("p99 under attack ÷ quiet", ratio),
      row("silent connections opened", counts.silentOpened),
      row("silent connections at a time", counts.silentOpen),
      row("connections of the flood a second", ((counts.flooded - before.flooded) * 1_000) / measureMs),
      row("refused with 503", counts.refused),
    ],
    notes: ["the attacker runs on the same machine and shares its cores"],
    failures: [
      ...(ratio > maxRatio ? [`p99 ratio ${ratio.toFixed(2)}, promised ${maxRatio}`] : []),
      ...(gone > 0 ? [`${gone} members were cut off`] : []),
    ],
  };
}
