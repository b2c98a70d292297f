/** The SMS path in trouble: messages must not notice. What taking SMS in and delivering them costs is measured on the way. */
import { setTimeout as sleep } from "node:timers/promises";
import { startTestProvider } from "../../../support/sms-provider.ts";
import { startTestStack } from "../../../support/start-stack.ts";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../../../support/websocket-client.ts";
import type { ScenarioReport } from "../report.ts";
import { median, quantileRows, row, typicalP99 } from "./drill-report.ts";

export interface SmsDrillOptions {
  /** SMS waiting while the provider hangs; a bulk campaign of as many follows. */
  sms: number;
  /** Messages a second of all senders together. */
  ratePerSecond: number;
  /** Measured in each state. */
  measureMs: number;
  /** A state's p99 ÷ the quiet p99, beyond what two quiet runs differ by. */
  maxRatio: number;
}

const senders = 10;
/** The states take turns so often, so that what drifts meanwhile meets all of them; a state's p99 is the median of its turns'. */
const turns = 4;
const acceptingAtOnce = 50;
/** How long a provider's call takes in the campaign. */
const callMs = 50;

/** What taking in took: each request, and all together. */
interface Accepted {
  tookMs: number[];
  perSecond: number;
}

export async function runSmsDrill(
  teardown: Teardown,
  { sms, ratePerSecond, measureMs, maxRatio }: SmsDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const provider = await startTestProvider(teardown);
  const stack = await startTestStack(teardown, {
    ...{ gateways: 1, chat: 1, presence: 1, notify: 1, sms: 1, loadTest: true },
    env: {
      SMS_PROVIDER: "webhook",
      SMS_WEBHOOK_URL: provider.url,
      SMS_WEBHOOK_SECRET: "the drill's shared secret",
      SMS_PER_NUMBER: "1000000",
      SMS_TRANSACTIONAL_PER_SECOND: "100000",
      SMS_BULK_PER_SECOND: "100000",
    },
  });
  const clients: TestClient[] = [];
  for (let i = 0; i < senders; i++) {
    const client = await connectTestClient(`${stack.wsUrl()}/ws`);
    teardown.after(() => client.close());
    await client.registerGuest();
    await client.request("JoinRoom", { room: `drill-${i}` });
    clients.push(client);
  }

  let sent = 0;
  let failed = 0;
  /** Sends on time, whatever comes back; answers how long each acknowledgement took. */
  const sendFor = async (ms: number, perSecond = ratePerSecond): Promise<number[]> => {
    const tookMs: number[] = [];
    const replies: Promise<unknown>[] = [];
    const startedAt = performance.now();
    for (let n = 0; n < (ms * perSecond) / 1_000; n++) {
      await sleep(Math.max(0, startedAt + (n * 1_000) / perSecond - performance.now()));
      const atMs = performance.now();
      const client = clients[n % senders] as TestClient;
      const message = { room: `drill-${n % senders}`, clientMessageId: `${++sent}`, text: `message ${sent}` };
      replies.push(
        client.send("SendMessage", message).then(({ success }) => {
          if (success) tookMs.push(performance.now() - atMs);
          else failed++;
        }),
      );
    }
    await Promise.all(replies);
    return tookMs;
  };

  const send = async (n: number, kind: "transactional" | "bulk"): Promise<string> => {
    const to = `+1202555${String(1_000 + (n % 9_000))}`;
    const response = await fetch(`${stack.internalUrl("notify", 1)}/v1/sms`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" },
      body: JSON.stringify({ to, text: `SMS ${n}`, kind }),
    });
    if (response.status !== 202) throw new Error(`POST /v1/sms answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { id: string }).id;
  };
  const accept = async (count: number, kind: (n: number) => "transactional" | "bulk"): Promise<Accepted> => {
    const tookMs: number[] = [];
    const startedAt = performance.now();
    let next = 0;
    const worker = async () => {
      while (next < count) {
        const n = next++;
        const atMs = performance.now();
        await send(n, kind(n));
        tookMs.push(performance.now() - atMs);
      }
    };
    await Promise.all(Array.from({ length: acceptingAtOnce }, worker));
    return { tookMs, perSecond: (count * 1_000) / (performance.now() - startedAt) };
  };

  progress("warming up");
  // Many, so that no state is measured while the processes still compile what they run.
  await sendFor(10_000, 5 * ratePerSecond);
  const states = { quiet: [], quietAgain: [], hanging: [], redisStopped: [] } as Record<
    "quiet" | "quietAgain" | "hanging" | "redisStopped",
    number[][]
  >;
  const measure = async (state: keyof typeof states) => void states[state].push(await sendFor(measureMs / turns));
  const accepted: Accepted[] = [];
  const without: Accepted[] = [];
  const perSecond: number[] = [];
  let waiting = 0;
  for (let turn = 1; turn <= turns; turn++) {
    const doing = (what: string) => progress(`turn ${turn} of ${turns}: ${what}`);
    doing("quiet, twice");
    await measure("quiet");
    await measure("quietAgain");

    const before = { calls: provider.calls.length, taken: provider.taken.length };
    provider.behave(() => "hang");
    doing(`taking in ${sms} SMS while the provider hangs`);
    accepted.push(await accept(sms, (n) => (n % 2 ? "transactional" : "bulk")));
    await waitFor("the provider to hang", () => provider.calls.length > before.calls);
    doing("the provider hangs");
    await measure("hanging");
    waiting = sms - (provider.calls.length - before.calls);

    doing("Redis is stopped");
    stack.pause("redis", 1);
    await measure("redisStopped");
    without.push(await accept(100, () => "bulk"));
    stack.resume("redis", 1);

    doing("the provider takes them");
    provider.behave(() => "accept");
    const taken = () => provider.taken.length - before.taken;
    await waitFor("the first to be taken", () => taken() > 100, { timeoutMs: 60_000 });
    const from = { taken: taken(), atMs: performance.now() };
    // What had an attempt before, or waits for its next one, comes later: the bulk of them is what is measured.
    const most = Math.floor(waiting * 0.9);
    await waitFor("most to be taken", () => taken() >= most, { timeoutMs: 120_000, everyMs: 5 });
    perSecond.push(((taken() - from.taken) * 1_000) / (performance.now() - from.atMs));
    await waitFor("all to be taken", () => taken() >= waiting, { timeoutMs: 120_000 });
  }

  progress(`a bulk campaign of ${sms}, and transactional SMS in between`);
  provider.behave(() => "accept", callMs);
  await accept(sms, () => "bulk");
  const delays: number[] = [];
  for (let n = 0; n < 20; n++) {
    const atMs = performance.now();
    const id = await send(n, "transactional");
    await waitFor("it at the provider", () => provider.calls.some((call) => call.id === id), {
      timeoutMs: 60_000,
      everyMs: 1,
    });
    delays.push(performance.now() - atMs);
  }

  const p99 = (state: keyof typeof states) => typicalP99(states[state]);
  const noise = Math.max(p99("quiet"), p99("quietAgain")) / Math.min(p99("quiet"), p99("quietAgain"));
  const base = (p99("quiet") + p99("quietAgain")) / 2;
  const ratios = { "provider hangs": p99("hanging") / base, "Redis stopped": p99("redisStopped") / base };
  const twice = provider.taken.length - new Set(provider.taken).size;
  return {
    title: `sms: ${ratePerSecond} messages/s of ${senders} senders while ${sms} SMS wait`,
    rows: [
      ...quantileRows("send, quiet", states.quiet.flat()),
      ...quantileRows("send, quiet again", states.quietAgain.flat()),
      ...quantileRows("send, provider hangs", states.hanging.flat()),
      ...quantileRows("send, Redis stopped", states.redisStopped.flat()),
      row("p99, one quiet run ÷ the other", noise),
      ...Object.entries(ratios).map(([what, ratio]) => row(`p99, ${what} ÷ quiet`, ratio)),
      row("SMS waiting while the provider hung", waiting),
      row("taken in, SMS/s", median(accepted.map(({ perSecond }) => perSecond))),
      ...quantileRows(
        "taken in",
        accepted.flatMap(({ tookMs }) => tookMs),
      ),
      ...quantileRows(
        "taken in, Redis stopped",
        without.flatMap(({ tookMs }) => tookMs),
      ),
      row("delivered, SMS/s of one worker", median(perSecond)),
      ...quantileRows(`to the provider, behind ${sms} bulk SMS`, delays),
    ],
    notes: [
      `a state's p99 in the ratios is the median of the p99 of its ${turns} turns; the rows above are of all its sends`,
      `the provider takes ${callMs} ms for each SMS of the campaign, and hangs for 10 s before an attempt is given up`,
    ],
    failures: [
      ...Object.entries(ratios)
        .filter(([, ratio]) => ratio > maxRatio * noise)
        .map(
          ([what, ratio]) =>
            `p99 ratio ${ratio.toFixed(2)} while ${what}, promised ${maxRatio} × noise ${noise.toFixed(2)}`,
        ),
      ...(failed > 0 ? [`${failed} messages were refused`] : []),
      ...(twice > 0 ? [`${twice} SMS were taken twice`] : []),
    ],
  };
}
