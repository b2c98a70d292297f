import { startStack } from "@parley/local";
import type { Teardown } from "./teardown.ts";
import { tempDir } from "./temp-dir.ts";

export interface TestNats {
  url: string;
  /** SIGKILL; it is started again on the same port. */
  kill9(): void;
  pause(): void;
  resume(): void;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** A NATS server of the test's own. */
export async function startTestNats(teardown: Teardown): Promise<TestNats> {
  const stack = await startStack({
    ...{
      checkoutDir: import.meta.dirname,
      stateDir: tempDir(teardown),
      anyPorts: true,
      services: [],
      engines: ["nats"],
    },
    announce: () => {},
    onLine: () => {},
  });
  teardown.after(stack.stop);
  const { nats } = stack.engines;
  if (!nats) throw new Error("the stack has no NATS, though it was asked for");
  return {
    url: nats.url,
    kill9: () => stack.kill("nats", 1, "SIGKILL"),
    pause: () => stack.kill("nats", 1, "SIGSTOP"),
    resume: () => stack.kill("nats", 1, "SIGCONT"),
    stop: stack.stop,
  };
}
