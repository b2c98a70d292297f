import { mongodb } from "@parley/local";
import { startEngine, type TestEngine } from "./start-engine.ts";
import type { Teardown } from "./teardown.ts";

/** Each test takes a database of its own in it: `withDatabase(url, …)`. */
export type TestMongodb = TestEngine;

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

/** A MongoDB of the test's own, or the one that MONGODB_URL names, which is not to be killed. */
export const startTestMongodb = (teardown: Teardown): Promise<TestMongodb> => startEngine(teardown, "mongodb");
