import { mongodb, startStack } from "@parley/local";
import type { Teardown } from "./teardown.ts";
import { tempDir } from "./temp-dir.ts";

export interface TestMongodb {
  /** Each test takes a database of its own: `withDatabase(url, …)`. */
  url: string;
  /** What it is: `FerretDB (/usr/local/bin/ferretdb)`. */
  description: string;
  /** SIGKILL; it is started again on the same port. Only where it is a process of ours. */
  kill9(): void;
  pause(): void;
  resume(): void;
}

/** The address with this database instead of its own. */
export const withDatabase = (url: string, database: string): string =>
  url.replace(/^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?/, `$1/${database}`);

/** Why tests that ask much of the store's speed do not run now, or false. */
export async function whyTooSlow(): Promise<string | false> {
  if (process.env.PARLEY_TEST_STORE !== "mongodb") return false;
  const found = await mongodb.locate(() => {}).catch(() => null);
  return found?.description.startsWith("FerretDB") ? "FerretDB reads a whole collection for each page" : false;
}

/** Why there is no MongoDB for tests here, or null. */
export async function whyNoMongodb(): Promise<string | null> {
  return mongodb
    .locate(() => {})
    .then(
      () => null,
      (error: Error) => error.message,
    );
}

/** A MongoDB of the test's own, or the one that MONGODB_URL names. */
export async function startTestMongodb(teardown: Teardown): Promise<TestMongodb> {
  const stack = await startStack({
    ...{ checkoutDir: import.meta.dirname, stateDir: tempDir(teardown), anyPorts: true, services: [] },
    ...{ engines: ["mongodb"], announce: () => {}, onLine: () => {} },
  });
  teardown.after(stack.stop);
  const engine = stack.engines.mongodb;
  if (!engine) throw new Error("the stack has no MongoDB, though it was asked for");
  return {
    url: engine.url,
    description: engine.description,
    kill9: () => stack.kill("mongodb", 1, "SIGKILL"),
    pause: () => stack.kill("mongodb", 1, "SIGSTOP"),
    resume: () => stack.kill("mongodb", 1, "SIGCONT"),
  };
}
