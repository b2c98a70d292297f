import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { assignAnyPorts, assignPorts, type PortWish } from "./assign-ports.ts";
import type { Engine, EngineCommand } from "./engine.ts";
import { guardOrphan } from "./guard-orphan.ts";
import { mongodb } from "./mongodb.ts";
import { nats } from "./nats.ts";
import { type ProcessRow, removeProcessesFile, writeProcessesFile } from "./processes-file.ts";
import { redis } from "./redis.ts";
import { readOrMakeSecret } from "./secret.ts";
import { services as allServices, type EngineName, type ServiceDefinition, type StoreKind } from "./services.ts";
import { statePaths } from "./state-dir.ts";
import { type Supervised, type SuperviseOptions, supervise } from "./supervise.ts";

export interface StackOptions {
  checkoutDir: string;
  /** Where data, secrets and `processes.json` are kept. */
  stateDir: string;
  services?: readonly ServiceDefinition[];
  /** Engines to have besides those that the services need. */
  engines?: readonly EngineName[];
  /** Where services store, unless STORE_URL says so; sqlite unless set. */
  store?: StoreKind;
  /** How many of each, by the service's name, where it differs from the table. */
  instances?: Record<string, number>;
  /** The first public port instead of the table's. */
  publicPort?: number;
  /** Takes any free ports, without a word: for tests. */
  anyPorts?: boolean;
  loadTest?: boolean;
  /** How long a stopping service takes to let its clients go. */
  drainMs?: number;
  /** How long all of it may take until it is ready. */
  readyTimeoutMs?: number;
  /** More settings for every service. */
  env?: Record<string, string>;
  /** And more for each, by the service's name. */
  envOf?: (service: string) => Record<string, string>;
  /** Aborted while the stack starts: what was started is stopped, and the start rejects. */
  signal?: AbortSignal;
  /** The launcher's own words. */
  announce(line: string): void;
  /** A line of a process's output; `title` is as in `gateway 1`. */
  onLine(title: string, line: string): void;
}

/** A running Parley. */
export interface Stack {
  /** What runs now, as in `processes.json`. */
  rows(): ProcessRow[];
  /** Throws when there is no such process now. */
  row(service: string, instance: number): ProcessRow;
  /** Where each engine is and what it is: `nats-server 2.14.0 (registry package)`. */
  engines: Partial<Record<EngineName, { url: string; description: string }>>;
  /** The bearer token for the internal APIs. */
  serviceToken: string;
  /** Signs users' tokens (HS256). */
  tokenSecret: string;
  /** How often this process was started again. */
  restarts(service: string, instance: number): number;
  /** Throws when there is no such process now. */
  kill(service: string, instance: number, signal: NodeJS.Signals): void;
  /** Drains the gateways, then stops the workers, then NATS and Redis. */
  stop(): Promise<void>;
  /** Ends everything at once, for who can't wait. */
  killAll(): void;
}

interface Member {
  service: string;
  instance: number;
  ports: Record<string, number>;
  /** Members of a lower stage stop before those of a higher one start to. */
  stopStage: number;
  supervised: Supervised;
}

interface Instance {
  definition: ServiceDefinition;
  instance: number;
  title: string;
}

const engineDefinitions: Record<EngineName, Engine> = { nats, redis, mongodb };
/** What a process gets beyond its drain before it is killed. */
const stopGraceMs = 3_000;

/** Starts engines and services, and resolves when all of them are ready. On an error nothing stays behind. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { announce, stateDir, drainMs = 1_500, readyTimeoutMs = 30_000 } = options;
  const paths = statePaths(stateDir);
  mkdirSync(paths.data, { recursive: true });
  const serviceToken = readOrMakeSecret(paths.serviceToken);
  const guestKey = readOrMakeSecret(paths.guestKey);
  const tokenSecret = readOrMakeSecret(paths.tokenSecret);
  const members: Member[] = [];
  let stopped: Promise<void> | null = null;

  const rows = (): ProcessRow[] =>
    members.flatMap(({ service, instance, ports, supervised }) => {
      const pid = supervised.pid();
      return pid === null ? [] : [{ service, instance, pid, ports }];
    });
  const writeRows = () => {
    if (stopped === null) writeProcessesFile(paths.processes, rows());
  };

  const addMember = (member: Omit<Member, "supervised">, title: string, how: HowToRun): Supervised => {
    const supervised = supervise({
      title,
      spawn: how.spawn,
      signal: how.signal,
      isReady: how.isReady,
      onLine: (line) => {
        if (how.worthShowing?.test(line) ?? true) options.onLine(title, line);
      },
      announce: (line) => announce(line),
      onPid: (pid) => {
        how.onPid?.(pid);
        // The first process id comes before the member is in the list.
        queueMicrotask(writeRows);
      },
    });
    members.push({ ...member, supervised });
    return supervised;
  };

  const stopAll = async () => {
    removeProcessesFile(paths.processes);
    const stages = [...new Set(members.map(({ stopStage }) => stopStage))].sort((a, b) => a - b);
    for (const stage of stages) {
      const ofStage = members.filter(({ stopStage }) => stopStage === stage);
      await Promise.all(ofStage.map(({ supervised }) => supervised.stop(drainMs + stopGraceMs)));
    }
  };
  const stop = () => {
    stopped ??= stopAll();
    return stopped;
  };

  const member = (service: string, instance: number): Member => {
    const found = members.find((one) => one.service === service && one.instance === instance);
    if (!found) throw new Error(`no ${service} ${instance} in this stack`);
    return found;
  };

  const startEngine = async (name: EngineName): Promise<{ url: string; description: string }> => {
    const engine = engineDefinitions[name];
    const found = await engine.locate(announce);
    if (found.kind === "running") return found;
    const wish = { title: name, port: engine.port, nextFrom: engine.port + 1 };
    const [port = engine.port] = options.anyPorts ? await assignAnyPorts(1) : await assignPorts([wish], announce);
    const dataDir = join(paths.data, name);
    mkdirSync(dataDir, { recursive: true });
    let command: EngineCommand;
    let releaseGuard = () => {};
    const supervised = addMember({ service: name, instance: 1, ports: { client: port }, stopStage: 2 }, name, {
      spawn: () => {
        command = found.command(port, dataDir);
        return spawn(command.file, command.args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
      },
      signal: (child, signal) => command.signal?.(child, signal) ?? child.kill(signal),
      isReady: () => engine.isUp(port),
      worthShowing: engine.worthShowing,
      onPid: (pid) => {
        releaseGuard();
        releaseGuard = pid === null ? () => {} : guardOrphan(pid);
      },
    });
    await supervised.whenReady(readyTimeoutMs);
    return { url: engine.url(port), description: found.description };
  };

  const start = async () => {
    const pageDir = join(options.checkoutDir, "services/web/dist");
    const table = options.services ?? allServices;
    const instances: Instance[] = table.flatMap((definition) =>
      Array.from({ length: options.instances?.[definition.name] ?? definition.instances }, (_, index) => ({
        definition,
        instance: index + 1,
        title: `${definition.name} ${index + 1}`,
      })),
    );
    const needed = new Set([...(options.engines ?? []), ...instances.flatMap(({ definition }) => definition.needs)]);
    const anyStores = instances.some(({ definition }) => definition.usesStore);
    if (options.store === "mongodb" && anyStores && !givenStore(options)) needed.add("mongodb");
    const engines: Stack["engines"] = Object.fromEntries(
      await Promise.all([...needed].map(async (name) => [name, await startEngine(name)] as const)),
    );
    options.signal?.throwIfAborted();

    const ports = await portsOf(instances, options);
    for (const [index, { definition, instance, title }] of instances.entries()) {
      const own = ports[index] ?? {};
      const env: NodeJS.ProcessEnv = {
        ...process.env,
        ...engineSettings(engines),
        ...options.env,
        ...options.envOf?.(definition.name),
        INSTANCE: String(instance),
        INTERNAL_PORT: String(own.internal),
        METRICS_PORT: String(own.metrics),
        INTERNAL_TOKEN: serviceToken,
        // On 127.0.0.1, for whoever tries things out.
        INTERNAL_DOCS_OPEN: "1",
        DRAIN_MS: String(drainMs),
        // Standard input is a pipe that closes when we die: the service then ends by itself.
        PARENT_PIPE: "1",
      };
      const ownStore = engines.mongodb?.url ?? `sqlite:${join(paths.data, "parley.db")}`;
      const storeUrl = givenStore(options) ?? ownStore;
      if (definition.usesStore) env.STORE_URL = storeUrl;
      if (definition.usesNoticeStore)
        env.NOTICE_STORE_URL ??= storeUrl.startsWith("sqlite:") ? `sqlite:${join(paths.data, "notices.db")}` : storeUrl;
      for (const [name, value] of Object.entries(definition.settings?.(paths.data) ?? {})) env[name] ??= value;
      if (own.public !== undefined) {
        env.PORT = String(own.public);
        env.GUEST_KEY = guestKey;
        env.TOKEN_SECRET ??= tokenSecret;
        // Tests that want no page run without a build of it.
        if (existsSync(pageDir)) env.WEB_DIR = pageDir;
      }
      if (options.loadTest) env.LOAD_TEST = "1";
      // Left by node's test runner for its own children only.
      delete env.NODE_TEST_CONTEXT;
      const entry = join(options.checkoutDir, definition.entry);
      addMember(
        { service: definition.name, instance, ports: own, stopStage: own.public === undefined ? 1 : 0 },
        title,
        {
          spawn: () =>
            spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry], {
              // Of a process group of its own: a terminal's Ctrl-C comes to the launcher alone, which stops all in order.
              ...{ stdio: ["pipe", "pipe", "pipe"], detached: true },
              ...{ env, cwd: options.checkoutDir },
            }),
          isReady: () => answersReady(own.public ?? own.internal ?? 0),
        },
      );
    }
    await Promise.all(members.map(({ supervised }) => supervised.whenReady(readyTimeoutMs)));
    return engines;
  };

  const onAbort = () => void stop();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const engines = await start();
    options.signal?.throwIfAborted();
    return {
      rows,
      row: (service, instance) => {
        const found = rows().find((row) => row.service === service && row.instance === instance);
        if (!found) throw new Error(`${service} ${instance} does not run now`);
        return found;
      },
      engines,
      serviceToken,
      tokenSecret,
      restarts: (service, instance) => member(service, instance).supervised.restarts(),
      kill: (service, instance, signal) => {
        if (!member(service, instance).supervised.signal(signal)) {
          throw new Error(`${service} ${instance} does not run now`);
        }
      },
      stop,
      killAll: () => {
        for (const { supervised } of members) supervised.signal("SIGKILL");
        removeProcessesFile(paths.processes);
      },
    };
  } catch (error) {
    await stop();
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
}

interface HowToRun extends Pick<SuperviseOptions, "spawn" | "signal" | "isReady"> {
  onPid?(pid: number | null): void;
  worthShowing?: RegExp;
}

const givenStore = ({ env }: StackOptions): string | undefined => env?.STORE_URL ?? process.env.STORE_URL;

function engineSettings(engines: Stack["engines"]): Record<string, string> {
  const settings: Record<string, string> = {};
  if (engines.nats) settings.NATS_URL = engines.nats.url;
  if (engines.redis) settings.REDIS_URL = engines.redis.url;
  return settings;
}

/** The ports of each instance, in the same order. */
async function portsOf(instances: readonly Instance[], options: StackOptions): Promise<Record<string, number>[]> {
  const wishes: (PortWish & { index: number; kind: string })[] = [];
  for (const [index, { definition, instance, title }] of instances.entries()) {
    const count = instances.filter((other) => other.definition === definition).length;
    const wish = (kind: string, first: number) =>
      wishes.push({ index, kind, title, port: first + instance - 1, nextFrom: first + count });
    if (definition.publicPort !== undefined) wish("public", options.publicPort ?? definition.publicPort);
    wish("internal", definition.internalPort);
    wish("metrics", definition.metricsPort ?? definition.internalPort + 50);
  }
  const assigned = options.anyPorts ? await assignAnyPorts(wishes.length) : await assignPorts(wishes, options.announce);
  const ports: Record<string, number>[] = instances.map(() => ({}));
  for (const [at, { index, kind }] of wishes.entries()) {
    const own = ports[index];
    const port = assigned[at];
    if (own && port !== undefined) own[kind] = port;
  }
  return ports;
}

async function answersReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
