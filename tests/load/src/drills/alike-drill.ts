/** What is hidden from somebody and what is not there: refused alike, and as fast, so that nobody learns by asking which it is. */
import { setTimeout as sleep } from "node:timers/promises";
import { makeToken } from "@parley/local";
import { startTestStack } from "../../../support/start-stack.ts";
import type { Teardown } from "../../../support/teardown.ts";
import { connectTestClient, type TestClient } from "../../../support/websocket-client.ts";
import type { ScenarioReport } from "../report.ts";
import { median, row } from "./drill-report.ts";

export interface AlikeDrillOptions {
  /** Of each event: asked about the hidden room and about the absent one. */
  pairs: number;
  /** Connections that ask at a time. */
  askers: number;
}

const hidden = "board of directors";
const absent = "board of governors";
const questions: Record<string, object> = {
  JoinRoom: {},
  History: {},
  SendMessage: { clientMessageId: "a", text: "x" },
  React: { clientMessageId: "b", target: 1, emoji: "x" },
  MarkRead: { seq: 0 },
  GetTimer: {},
};
/** A difference that chance makes once in 15,000 times. */
const errorsMax = 4;

/**
 * Of a reply of each kind, how often the one about the absent room took longer; ties count half. A half, where the time says
 * nothing. With its standard error, were they alike.
 */
export function shareLonger(
  absentMs: readonly number[],
  hiddenMs: readonly number[],
): { share: number; error: number } {
  const sorted = hiddenMs.toSorted((a, b) => a - b);
  const below = (value: number, orAt: boolean): number => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const each = sorted[middle]!;
      if (each < value || (orAt && each === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const wins = absentMs.reduce((sum, value) => sum + (below(value, false) + below(value, true)) / 2, 0);
  const [n, m] = [absentMs.length, hiddenMs.length];
  return { share: wins / (n * m), error: Math.sqrt((n + m + 1) / (12 * n * m)) };
}

/** How far two halves of what should be the same are apart: what chance does to a median here. */
const noise = (values: readonly number[]): number =>
  Math.abs(median(values.filter((_, i) => i % 2 === 0)) - median(values.filter((_, i) => i % 2 === 1)));

export async function runAlikeDrill(
  teardown: Teardown,
  { pairs, askers }: AlikeDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const stack = await startTestStack(teardown, {
    ...{ gateways: 1, chat: 1, timers: 1, loadTest: true },
    // Where rooms may be made by use, an absent one is made, and there is nothing to tell apart.
    env: { ROOMS_BY_USE: "false" },
  });
  const made = await fetch(`${stack.internalUrl("chat", 1)}/v1/rooms`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" },
    body: JSON.stringify({ name: hidden, visibility: "private", members: [{ user: "chair" }] }),
  });
  if (!made.ok) throw new Error(`the hidden room could not be made: ${await made.text()}`);
  const token = await makeToken(["--user", "mallory"], stack.tokenSecret);
  const clients: TestClient[] = [];
  for (let i = 0; i < askers; i++) {
    const client = await connectTestClient(`${stack.wsUrl()}/ws`);
    teardown.after(() => client.close());
    await client.request("Register", { token });
    clients.push(client);
  }

  const timed = async (client: TestClient, event: string, fields: object, room: string): Promise<number> => {
    const atMs = performance.now();
    const { code } = await client.send(event, { room, ...fields });
    if (code !== "forbidden") throw new Error(`${event} on ${room} was answered ${code}`);
    return performance.now() - atMs;
  };

  const report: ScenarioReport = {
    title: `alike: ${pairs} pairs of each event, about a hidden room and an absent one`,
    ...{ rows: [], notes: [], failures: [] },
  };
  for (const [event, fields] of Object.entries(questions)) {
    const tookMs = { absent: [] as number[], hidden: [] as number[] };
    let left = pairs;
    await Promise.all(
      clients.map(async (client) => {
        while (left-- > 0) {
          const rooms = Math.random() < 0.5 ? [absent, hidden] : [hidden, absent];
          for (const room of rooms) {
            // Not in step with whatever beats in the gateway.
            await sleep(Math.random() * 60);
            tookMs[room === absent ? "absent" : "hidden"].push(await timed(client, event, fields, room));
          }
        }
      }),
    );
    const { share, error } = shareLonger(tookMs.absent, tookMs.hidden);
    const apart = median(tookMs.absent) - median(tookMs.hidden);
    report.rows.push(
      row(`${event}: hidden, median ms`, median(tookMs.hidden)),
      row(`${event}: absent, median ms`, median(tookMs.absent)),
      row(`${event}: absent took longer, % of pairs`, 100 * share),
    );
    const chance = Math.max(noise(tookMs.absent), noise(tookMs.hidden));
    progress(
      `${event}: medians ${apart.toFixed(3)} ms apart, halves of the same ${chance.toFixed(3)} ms; absent longer in ${(100 * share).toFixed(1)} % (chance: 50 ± ${(100 * error).toFixed(1)})`,
    );
    if (Math.abs(share - 0.5) > errorsMax * error)
      report.failures.push(`${event}: time tells an absent room from a hidden one`);
  }
  const { error } = shareLonger(new Array<number>(pairs).fill(0), new Array<number>(pairs).fill(0));
  report.notes.push(`were they alike, chance would give 50 ± ${(100 * error).toFixed(1)} % (one standard error)`);
  return report;
}
