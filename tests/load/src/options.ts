/** The command line, checked; and `--help`. */
import { parseArgs } from "node:util";
import type { Endpoint } from "./connection.ts";
import type { ServerProcess } from "./processes.ts";
import { stampBytes } from "./send-frame.ts";

export const loads = ["fanout", "send", "idle", "all"] as const;
/** What goes wrong on purpose, on a stack of the run's own. */
export const drills = ["restart", "kill", "slow", "sms", "ways", "presence", "attack", "alike"] as const;
export const scenarios = [...loads, ...drills] as const;
export type ScenarioName = (typeof scenarios)[number];
export type LoadName = (typeof loads)[number];
export type DrillName = (typeof drills)[number];

export const defaultConns = { send: 50, idle: 5000 } as const;

/** What is wrong with the command line; shown without a stack. */
export class UsageError extends Error {}

const optionTable = {
  target: ["URL,…", "gateways, for example ws://127.0.0.1:8080,ws://127.0.0.1:8081 [those that npm start runs]"],
  pids: ["PID,…", "server processes whose CPU and memory count; SERVICE=PID names one [those that npm start runs]"],
  own: ["", "start a stack for this run even when one runs already"],
  gateways: ["N", "gateways of the run's own stack [2]; means --own"],
  chat: ["N", "chat workers of the run's own stack [2]; means --own"],
  store: ["KIND", "sqlite or mongodb, of the run's own stack [sqlite]; means --own"],
  rooms: ["R", "fanout: rooms [1]; send: rooms [one a connection]"],
  members: ["M", "fanout: listeners in each room [1000]"],
  publishers: ["P", "fanout: publishers a room, each a connection of its own [1]"],
  rate: ["N", "fanout: messages a second of each publisher [20]"],
  conns: ["N", `send: connections [${defaultConns.send}]; idle: connections [${defaultConns.idle}]`],
  window: ["W", "send: unanswered sends of each connection [10]"],
  size: ["BYTES", `length of a message's text, least ${stampBytes} [100]`],
  secs: ["T", "seconds measured in each round [5]"],
  warmup: ["T", "seconds before measuring [1]"],
  hold: ["T", "idle: seconds before memory is read [3]"],
  drain: ["T", "seconds to wait for what is still under way [3]"],
  inflight: ["N", "connections being opened at a time [64]"],
  rounds: ["N", "rounds of ours, and of bare in between [2]"],
  bare: ["", "compare with a bare uWebSockets.js server in the same run [on for fanout, send, all]"],
  "no-bare": ["", "don't"],
  "pin-server": ["CPU", "keep all server processes on this CPU while measuring (taskset)"],
  "pin-client": ["CPU", "keep the generator on this CPU; it then never sleeps (as with --spin)"],
  spin: ["", "poll without sleeping: exact timing, and servers aren't charged for waking the generator"],
  json: ["FILE", "write all figures there as JSON"],
  help: ["", "this text"],
} as const;

type OptionName = keyof typeof optionTable;

export const helpText = `npm run load -- SCENARIO [--option value]…    loads a running Parley and prints figures

Scenarios
  fanout   R rooms × M listeners, P publishers a room, open loop: each sends at its rate whatever comes back
  send     acknowledged sends, closed loop: each connection keeps W of them unanswered
  idle     connections that registered, joined a room and do nothing
  all      a short run of each: the figures of docs/load-testing.md

Drills, each on a stack of its own; a promise that is broken makes the run fail
  restart  every process replaced, one after another, under --conns clients [500] who talk
  kill     --conns clients [2000] on two gateways, one of which is killed
  sms      messages at --rate [200] while the SMS provider hangs on 10,000 SMS, and while Redis is stopped
  presence --conns clients [2000] in --rooms [a hundredth of them] come, drop at once and return at once
  ways     the same talk by WebSocket, Socket.IO, SSE and long poll: --rooms [20] × --members [10], --rate [10] in each
  attack   10,000 connections that never register, 500 that dribble, a flood from one address; --rate [50] of 50 members
  alike    --conns times [2000] each, a hidden room and an absent one are asked about: do answers take as long?
  slow     --members of a room [1000], of whom 50 stop reading; --rate [10] and --size [4000] of one sender

Options [default]
${Object.entries(optionTable)
  .map(([name, [value, meaning]]) => `  ${`--${name} ${value}`.padEnd(19)} ${meaning}`)
  .join("\n")}

It loads what npm start runs (best started as npm start -- --load-test, which lifts the limits of a session and an
address), or starts a stack of its own for the run when there is none. Targets must be on this machine.
docs/load-testing.md says what the figures mean.
`;

export interface Options {
  scenario: ScenarioName;
  /** Null: whatever npm start runs, else a stack of the run's own. */
  targets: Endpoint[] | null;
  processes: ServerProcess[] | null;
  own: boolean;
  gateways: number;
  chatWorkers: number;
  store: "sqlite" | "mongodb";
  rooms: number | null;
  members: number;
  publishers: number;
  ratePerSecond: number;
  conns: number | null;
  window: number;
  textBytes: number;
  measureMs: number;
  warmupMs: number;
  holdMs: number;
  drainMs: number;
  inflight: number;
  rounds: number;
  bare: boolean;
  pinServer: number | null;
  pinClient: number | null;
  spin: boolean;
  jsonFile: string | null;
}

/** `ws://127.0.0.1:8080` and the like; any host beyond this machine is refused. */
export function readTarget(text: string): Endpoint {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`--target: "${text}" is no URL; write for example ws://127.0.0.1:8080`);
  }
  // Never a name: who knows what it resolves to. "localhost" alone is taken, and means 127.0.0.1.
  const host = url.hostname === "localhost" ? "127.0.0.1" : url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (!/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host) && host !== "::1")
    throw new UsageError(
      `--target: ${url.hostname} is not this machine; only 127.0.0.0/8, ::1 and localhost are loaded`,
    );
  // A port that is the protocol's own is left out of a URL.
  const port = Number(url.port || "80");
  if (url.protocol !== "ws:" || (url.pathname !== "/" && url.pathname !== "/ws") || url.search !== "")
    throw new UsageError(`--target: "${text}" must be ws://HOST:PORT (the path /ws is added)`);
  return { host, port };
}

function readProcess(text: string): ServerProcess {
  const [, service = "server", pid] = /^(?:([\w-]+)=)?(\d+)$/.exec(text) ?? [];
  if (pid === undefined) throw new UsageError(`--pids: "${text}" must be a process id, or SERVICE=PID`);
  return { service, pid: Number(pid) };
}

export const isDrill = (scenario: ScenarioName): scenario is DrillName => drills.some((name) => name === scenario);

/** Throws a `UsageError`; "help" when that was asked for. */
export function readOptions(args: string[]): Options | "help" {
  let parsed: { values: Record<string, string | boolean | undefined>; positionals: string[] };
  try {
    const options = Object.fromEntries(
      Object.entries(optionTable).map(([name, [value]]) => [
        name,
        { type: value === "" ? "boolean" : "string" } as const,
      ]),
    );
    parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message} (see --help)`);
  }
  const values = parsed.values as { [name in OptionName]?: string | boolean };
  if (values.help) return "help";
  const scenario = scenarios.find((name) => name === parsed.positionals[0]);
  if (scenario === undefined || parsed.positionals.length > 1)
    throw new UsageError(`say one scenario: ${scenarios.join(", ")} (see --help)`);

  const list = (name: OptionName): string[] | null => {
    const value = values[name];
    return value === undefined
      ? null
      : String(value)
          .split(",")
          .map((item) => item.trim());
  };
  function number(name: OptionName, fallback: number, least: number, most: number, whole?: boolean): number;
  function number(name: OptionName, fallback: null, least: number, most: number, whole?: boolean): number | null;
  function number(name: OptionName, fallback: number | null, least: number, most: number, whole = true): number | null {
    const text = values[name];
    if (text === undefined) return fallback;
    const value = Number(text);
    if (text === "" || !(value >= least && value <= most) || (whole && !Number.isInteger(value)))
      throw new UsageError(`--${name}: "${text}" must be a ${whole ? "whole " : ""}number from ${least} to ${most}`);
    return value;
  }
  const seconds = (name: OptionName, fallback: number, least: number): number =>
    1000 * number(name, fallback, least, 3600, false);
  const rates: Partial<Record<ScenarioName, number>> = { slow: 10, ways: 10, sms: 200, attack: 50 };
  const lengths: Partial<Record<ScenarioName, number>> = { slow: 30, sms: 20, attack: 20, all: 3 };
  const pinClient = number("pin-client", null, 0, 1023);
  const all = scenario === "all";
  if (isDrill(scenario) && (values.target !== undefined || values.pids !== undefined))
    throw new UsageError(`${scenario} ends processes, so it starts a stack of its own: leave --target and --pids out`);
  const own =
    Boolean(values.own) || values.gateways !== undefined || values.chat !== undefined || values.store !== undefined;
  const store = values.store ?? "sqlite";
  if (store !== "sqlite" && store !== "mongodb")
    throw new UsageError(`--store takes sqlite or mongodb, not "${String(store)}"`);
  if (own && (values.target !== undefined || values.pids !== undefined))
    throw new UsageError("--own, --gateways, --chat and --store start a new stack: leave --target and --pids out");
  if (values.pids !== undefined && values.target === undefined)
    throw new UsageError("--pids says what runs behind --target: give that too");
  return {
    scenario,
    targets: list("target")?.map(readTarget) ?? null,
    processes: list("pids")?.map(readProcess) ?? null,
    own,
    gateways: number("gateways", 2, 1, 64),
    chatWorkers: number("chat", 2, 1, 64),
    store,
    rooms: number("rooms", null, 1, 100_000),
    members: number("members", scenario === "ways" ? 10 : 1000, 1, 100_000),
    publishers: number("publishers", 1, 1, 10_000),
    ratePerSecond: number("rate", rates[scenario] ?? 20, 0.01, 1_000_000, false),
    conns: number("conns", null, 1, 1_000_000),
    window: number("window", 10, 1, 10_000),
    textBytes: number("size", scenario === "slow" ? 4_000 : 100, stampBytes, 16_384),
    measureMs: seconds("secs", lengths[scenario] ?? 5, 0.1),
    warmupMs: seconds("warmup", 1, 0),
    holdMs: seconds("hold", 3, 0),
    drainMs: seconds("drain", 3, 0),
    inflight: number("inflight", 64, 1, 10_000),
    rounds: number("rounds", all ? 1 : 2, 1, 100),
    bare: Boolean(values.bare ?? scenario !== "idle") && !values["no-bare"],
    pinServer: number("pin-server", null, 0, 1023),
    pinClient,
    spin: Boolean(values.spin) || pinClient !== null,
    jsonFile: typeof values.json === "string" ? values.json : null,
  };
}
