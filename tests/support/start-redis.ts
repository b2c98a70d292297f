import { startStack } from "@parley/local";
import type { Teardown } from "./teardown.ts";
import { tempDir } from "./temp-dir.ts";

export interface TestRedis {
  url: string;
  /** SIGKILL; it is started again on the same port, with what it had written to disk. */
  kill9(): void;
  pause(): void;
  resume(): void;
}

/** A Redis server of the test's own. */
export async function startTestRedis(teardown: Teardown): Promise<TestRedis> {
  const stack = await startStack({
    ...{ checkoutDir: import.meta.dirname, stateDir: tempDir(teardown), anyPorts: true },
    ...{ services: [], engines: ["redis"] },
    announce: () => {},
    onLine: () => {},
  });
  teardown.after(stack.stop);
  const { redis } = stack.engines;
  if (!redis) throw new Error("the stack has no Redis, though it was asked for");
  return {
    url: redis.url,
    kill9: () => stack.kill("redis", 1, "SIGKILL"),
    pause: () => stack.kill("redis", 1, "SIGSTOP"),
    resume: () => stack.kill("redis", 1, "SIGCONT"),
  };
}
