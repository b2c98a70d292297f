import { startEngine, type TestEngine } from "./start-engine.ts";
import type { Teardown } from "./teardown.ts";

export type TestNats = TestEngine;

/** A NATS server of the test's own. */
export const startTestNats = (teardown: Teardown): Promise<TestNats> => startEngine(teardown, "nats");
