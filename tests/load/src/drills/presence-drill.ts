/** Everyone registers, drops at once, and returns at once: what presence costs, and whether anybody is flooded by it. */
import { setTimeout as sleep } from "node:timers/promises";
import { connectRedis } from "@parley/presence";
import type { Teardown } from "../../../support/teardown.ts";
import { type Connection, openConnection } from "../connection.ts";
import { maskedText } from "../frames.ts";
import { canMeasureProcesses, readCpu, type ServerProcess } from "../processes.ts";
import type { ScenarioReport } from "../report.ts";
import { quantileRows, row } from "./drill-report.ts";
import { startDrillStack } from "./drill-stack.ts";

export interface PresenceDrillOptions {
  clients: number;
  rooms: number;
  gateways: number;
  chatWorkers: number;
  inflight: number;
  /** The grace is over by then: all of them have been told to be gone. */
  awayMs: number;
  /** How long to look at the loops after the return; they tell of whole windows of 5 s. */
  watchMs: number;
  maxLoopDelayMs: number;
  /** Presence frames that one client may be told of the whole return. */
  maxFrames: number;
}

interface Client {
  connection: Connection;
  token: string;
  frames: number;
  bytes: number;
}

const presenceFrame = '{"eventType":"ServerEvent","event":"presence"';
const replyFrame = '{"eventType":"Reply"';
const timeoutMs = 60_000;

/** Connects, registers and comes to listen to a room. */
async function enter(url: string, identity: object, room: string): Promise<Client> {
  const { hostname, port } = new URL(url);
  const connection = await openConnection({ host: hostname, port: Number(port) }, "/ws", { timeoutMs });
  const client: Client = { connection, token: "", frames: 0, bytes: 0 };
  const replies = new Map<number, (reply: { success: boolean; data: { token?: string }; error: string }) => void>();
  connection.onText = (bytes, start, end) => {
    const head = bytes.toString("latin1", start, Math.min(end, start + presenceFrame.length));
    if (head === presenceFrame) {
      client.frames++;
      client.bytes += end - start;
    } else if (head.startsWith(replyFrame)) {
      const reply = JSON.parse(bytes.toString("utf8", start, end));
      replies.get(reply.requestId)?.(reply);
    }
  };
  const ask = (requestId: number, event: string, requestData: object) =>
    new Promise<{ token?: string }>((resolve, reject) => {
      connection.onLost = (reason) => reject(new Error(`${event}: ${reason}`));
      replies.set(requestId, ({ success, data, error }) =>
        success ? resolve(data) : reject(new Error(`${event} was refused: ${error}`)),
      );
      connection.write(maskedText(JSON.stringify({ event, requestId, requestData })));
    });
  const { token } = await ask(1, "Register", identity);
  client.token = token ?? (identity as { token: string }).token;
  await ask(2, "JoinRoom", { room, since: 0 });
  connection.onLost = () => {};
  return client;
}

export async function runPresenceDrill(
  teardown: Teardown,
  options: PresenceDrillOptions,
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { clients: count, rooms, inflight, maxLoopDelayMs, maxFrames } = options;
  const stack = await startDrillStack(teardown, { ...options, otherWorkers: 1, drainMs: 300, loadTest: true });
  const processes: ServerProcess[] = stack.rows().map(({ service, pid }) => ({ service, pid }));
  const connection = connectRedis({ url: stack.engines.redis?.url ?? "", onError: () => {} });
  teardown.after(connection.close);
  await connection.whenUp(10_000);
  const redisBytes = async () => Number(/used_memory:(\d+)/.exec(await connection.redis.info("memory"))?.[1]);
  const cpuNow = () => (canMeasureProcesses ? readCpu(processes) : null);

  let clients: Client[] = [];
  teardown.after(() => {
    for (const client of clients) client.connection.close();
  });
  const enterAll = async (identityOf: (i: number) => object) => {
    const entered: Client[] = [];
    let next = 0;
    const one = async () => {
      for (let i = next++; i < count; i = next++)
        entered[i] = await enter(stack.pick(), identityOf(i), `room ${i % rooms}`);
    };
    const startMs = performance.now();
    await Promise.all(Array.from({ length: inflight }, one));
    return { entered, secs: (performance.now() - startMs) / 1000 };
  };

  progress(`${count} guests come`);
  const memoryBefore = await redisBytes();
  const cpuBefore = cpuNow();
  const coming = await enterAll((i) => ({ guest: true, name: `client ${i}` }));
  clients = coming.entered;
  // The last telling, and Redis' own housekeeping.
  await sleep(1_000);
  const cpuComing = cpuNow();
  const bytesPerUser = ((await redisBytes()) - memoryBefore) / count;
  await sleep(5_000);
  const cpuIdle = cpuNow();

  progress("all drop at once");
  const tokens = clients.map(({ token }) => token);
  for (const client of clients) client.connection.close();
  await sleep(options.awayMs);
  progress("all return at once");
  const delays: { what: string; p99: number; max: number }[] = [];
  const look = async () => {
    for (const { service, instance } of stack.rows())
      if (service === "gateway" || service === "presence")
        delays.push({ what: service, ...(await stack.loopDelayMs(instance, service)) });
  };
  const watching = setInterval(() => void look().catch(() => {}), 1_000);
  const returning = await enterAll((i) => ({ token: tokens[i] }));
  clients = returning.entered;
  await sleep(options.watchMs);
  clearInterval(watching);

  const worst = (what: string, of: "p99" | "max") =>
    Math.max(...delays.filter((delay) => delay.what === what).map((delay) => delay[of]));
  const cpuOf = (after: typeof cpuBefore, before: typeof cpuBefore, service: string) =>
    after === null || before === null ? Number.NaN : (after[service] ?? 0) - (before[service] ?? 0);
  const frames = clients.map((client) => client.frames);
  const mostFrames = Math.max(...frames);
  const worstP99 = Math.max(worst("gateway", "p99"), worst("presence", "p99"));
  return {
    title: `presence: ${count} guests in ${rooms} rooms on ${options.gateways} gateway(s) come, drop at once and return at once`,
    rows: [
      row("sessions registered a second, with a room each", count / coming.secs),
      row("sessions returned a second", count / returning.secs),
      row("Redis bytes for each online user", bytesPerUser),
      row("presence worker CPU for each who comes, ms", (1000 * cpuOf(cpuComing, cpuBefore, "presence")) / count),
      row("Redis CPU for each who comes, ms", (1000 * cpuOf(cpuComing, cpuBefore, "redis")) / count),
      row("presence worker cores while nothing happens", cpuOf(cpuIdle, cpuComing, "presence") / 5),
      ...quantileRows("presence frames told to a client of the return,", frames).map((each) => ({
        ...each,
        name: each.name.replace(", ms", ""),
      })),
      row("KiB of them for each client", clients.reduce((sum, { bytes }) => sum + bytes, 0) / count / 1024),
      row("gateway loop delay p99, worst 5 s, ms", worst("gateway", "p99")),
      row("presence loop delay p99, worst 5 s, ms", worst("presence", "p99")),
      row("loop delay max, ms", Math.max(...delays.map(({ max }) => max))),
    ],
    notes: [],
    failures: [
      ...(mostFrames > maxFrames ? [`a client was told ${mostFrames} presence frames, ${maxFrames} at most`] : []),
      ...(worstP99 > maxLoopDelayMs ? [`loop delay p99 ${Math.round(worstP99)} ms, promised ${maxLoopDelayMs}`] : []),
    ],
  };
}
