/** Finds the Parley to load, or starts one for the run. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ProcessRow, readProcessesFile, startStack } from "@parley/local";
import type { Endpoint } from "./connection.ts";
import type { Options } from "./options.ts";
import type { ServerProcess } from "./processes.ts";

export interface Servers {
  /** For people: what is being loaded. */
  description: string;
  targets: Endpoint[];
  processes: ServerProcess[];
  stop(): Promise<void>;
}

const checkoutDir = resolve(import.meta.dirname, "../../..");

const processesOf = (rows: ProcessRow[]): ServerProcess[] => rows.map(({ service, pid }) => ({ service, pid }));

const gatewaysOf = (rows: ProcessRow[]): Endpoint[] =>
  rows.flatMap(({ ports }) => (ports.public === undefined ? [] : [{ host: "127.0.0.1", port: ports.public }]));

const urlsOf = (targets: Endpoint[]): string => targets.map(({ host, port }) => `ws://${host}:${port}`).join(", ");

/** The launcher's table, without what has ended since it was written. */
function runningRows(): ProcessRow[] {
  const rows = readProcessesFile(join(checkoutDir, ".parley/processes.json"));
  return rows.filter(({ pid }) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  });
}

/** `announce` gets what a person who waits should know. Rejects when the run's own stack does not start. */
export async function findServers(options: Options, announce: (line: string) => void): Promise<Servers> {
  const stop = async (): Promise<void> => {};
  const rows = options.own ? [] : runningRows();
  if (options.targets !== null) {
    const { targets } = options;
    const known = targets.every(({ port }) => rows.some(({ ports }) => ports.public === port));
    const processes = options.processes ?? (known ? processesOf(rows) : []);
    return { description: urlsOf(targets), targets, processes, stop };
  }
  const running = gatewaysOf(rows);
  if (running.length > 0)
    return {
      description: `what npm start runs (${urlsOf(running)})`,
      targets: running,
      processes: processesOf(rows),
      stop,
    };
  return startOwn(options, announce);
}

async function startOwn(options: Options, announce: (line: string) => void): Promise<Servers> {
  const { gateways, chatWorkers, store } = options;
  announce(`starting a stack for this run: ${gateways} gateway(s), ${chatWorkers} chat worker(s)`);
  // Not in the system's temporary folder: where that is memory, durable sends would cost no disk write.
  const parent = join(checkoutDir, ".parley");
  mkdirSync(parent, { recursive: true });
  const stateDir = mkdtempSync(join(parent, "load-"));
  const removeState = (): void => rmSync(stateDir, { recursive: true, force: true });
  try {
    const stack = await startStack({
      checkoutDir,
      stateDir,
      store,
      anyPorts: true,
      loadTest: true,
      instances: { gateway: gateways, chat: chatWorkers },
      drainMs: 300,
      announce,
      onLine: (title, line) => {
        // Warnings and worse.
        if (/"level":[456]0/.test(line)) announce(`${title}: ${line}`);
      },
    });
    const rows = stack.rows();
    const targets = gatewaysOf(rows);
    return {
      description: `a stack of the run's own (${gateways} gateway(s), ${chatWorkers} chat worker(s), ${urlsOf(targets)})`,
      targets,
      processes: processesOf(rows),
      async stop() {
        await stack.stop();
        removeState();
      },
    };
  } catch (error) {
    removeState();
    throw error;
  }
}
