import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import type { Stack, StackOptions, StoreKind } from "@parley/local";
import { startInTempDir } from "./start-in-temp-dir.ts";
import { withDatabase } from "./start-mongodb.ts";
import type { Teardown } from "./teardown.ts";

export interface TestStackOptions
  extends Pick<StackOptions, "drainMs" | "env" | "envOf" | "loadTest" | "services" | "store"> {
  gateways?: number;
  chat?: number;
  /** Of the others none run unless told: some bring Redis along. */
  presence?: number;
  timers?: number;
  notify?: number;
  sms?: number;
}

/** A whole Parley for one test, on ports of its own, with an empty store. */
export interface TestStack
  extends Pick<Stack, "engines" | "restarts" | "row" | "rows" | "serviceToken" | "stop" | "tokenSecret"> {
  /** `ws://127.0.0.1:…` of a gateway, without a path; gateway 1 unless told. */
  wsUrl(gateway?: number): string;
  /** `http://127.0.0.1:…` of a gateway's public port. */
  httpUrl(gateway?: number): string;
  /** `http://127.0.0.1:…` of a service's internal API; show it `serviceToken`. */
  internalUrl(service: string, instance: number): string;
  /** Where this run keeps its store, secrets and `processes.json`. */
  stateDir: string;
  /** SIGKILL; the launcher starts it again. */
  kill9(service: string, instance: number): void;
  /** SIGTERM; it drains, and the launcher starts it again. */
  terminate(service: string, instance: number): void;
  /** SIGSTOP: alive but deaf, until `resume`. */
  pause(service: string, instance: number): void;
  resume(service: string, instance: number): void;
  /** What the processes have said, each line with its process's name before it. */
  lines(): readonly string[];
}

const checkoutDir = resolve(import.meta.dirname, "../..");
const keptLines = 2_000;
const shownLines = 60;

/** Which store the stacks of this run have: PARLEY_TEST_STORE, else SQLite. */
export const testStore = (): StoreKind => (process.env.PARLEY_TEST_STORE === "mongodb" ? "mongodb" : "sqlite");

/** A server that others use too holds a database for each stack. */
function ownDatabase(): Record<string, string> {
  const url = process.env.MONGODB_URL;
  return url ? { STORE_URL: withDatabase(url, `parley-test-${randomUUID()}`) } : {};
}

/** Starts real processes and resolves when all are ready; ends with the test, whose failure shows their last lines. */
export async function startTestStack(teardown: Teardown, options: TestStackOptions = {}): Promise<TestStack> {
  const { gateways = 2, chat = 2, presence = 0, timers = 0, notify = 0, sms = 0, drainMs = 300, ...rest } = options;
  const { store = testStore() } = options;
  const env = { ...(store === "mongodb" ? ownDatabase() : {}), ...options.env };
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > keptLines) lines.shift();
  };
  const stack = await startInTempDir(teardown, {
    ...rest,
    ...{ checkoutDir, drainMs, store, env, anyPorts: true },
    instances: { gateway: gateways, chat, presence, timer: timers, notify, sms },
    announce: (line) => keep(`launcher: ${line}`),
    onLine: (title, line) => keep(`${title}: ${line}`),
  });
  // Ports stay the same across restarts, so an address holds even while its process is down.
  const portsOf = new Map(stack.rows().map(({ service, instance, ports }) => [`${service} ${instance}`, ports]));
  const address = (kind: string, service: string, instance: number) => {
    const port = portsOf.get(`${service} ${instance}`)?.[kind];
    if (port === undefined) throw new Error(`${service} ${instance} has no ${kind} port in this stack`);
    return `127.0.0.1:${port}`;
  };
  teardown.after(() => {
    if (teardown.error) console.error(["The stack's last lines:", ...lines.slice(-shownLines)].join("\n  "));
  });
  return {
    ...stack,
    wsUrl: (gateway = 1) => `ws://${address("public", "gateway", gateway)}`,
    httpUrl: (gateway = 1) => `http://${address("public", "gateway", gateway)}`,
    internalUrl: (service, instance) => `http://${address("internal", service, instance)}`,
    kill9: (service, instance) => stack.kill(service, instance, "SIGKILL"),
    terminate: (service, instance) => stack.kill(service, instance, "SIGTERM"),
    pause: (service, instance) => stack.kill(service, instance, "SIGSTOP"),
    resume: (service, instance) => stack.kill(service, instance, "SIGCONT"),
    lines: () => lines,
  };
}
