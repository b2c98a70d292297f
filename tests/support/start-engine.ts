import { startInTempDir } from "./start-in-temp-dir.ts";
import type { Teardown } from "./teardown.ts";

/** A server of the test's own. */
export interface TestEngine {
  url: string;
  /** What it is: `Redis 7.0.15 (/usr/bin/redis-server)`. */
  description: string;
  /** SIGKILL; it is started again on the same port, with what it had written to disk. */
  kill9(): void;
  pause(): void;
  resume(): void;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** Starts one of the servers that the system stands on, as the launcher does, or takes the one that the environment names. */
export async function startEngine(teardown: Teardown, name: "nats" | "redis" | "mongodb"): Promise<TestEngine> {
  const stack = await startInTempDir(teardown, {
    ...{ checkoutDir: import.meta.dirname, anyPorts: true, services: [], engines: [name] },
    announce: () => {},
    onLine: () => {},
  });
  const engine = stack.engines[name];
  if (!engine) throw new Error(`the stack has no ${name}, though it was asked for`);
  const kill = (signal: NodeJS.Signals) => stack.kill(name, 1, signal);
  return {
    url: engine.url,
    description: engine.description,
    kill9: () => kill("SIGKILL"),
    pause: () => kill("SIGSTOP"),
    resume: () => kill("SIGCONT"),
    stop: stack.stop,
  };
}
