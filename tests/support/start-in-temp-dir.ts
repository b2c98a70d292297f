import { type Stack, type StackOptions, startStack } from "@parley/local";
import type { Teardown } from "./teardown.ts";
import { tempDir } from "./temp-dir.ts";

/** Processes with their state in a folder of their own: when the test ends they are stopped, and only then it is removed. */
export async function startInTempDir(
  teardown: Teardown,
  options: Omit<StackOptions, "stateDir">,
): Promise<Stack & { stateDir: string }> {
  const ends: (() => Promise<void> | void)[] = [];
  const stateDir = tempDir({ after: (step) => void ends.push(step) });
  teardown.after(async () => {
    for (const end of ends) await end();
  });
  const stack = await startStack({ ...options, stateDir });
  ends.unshift(stack.stop);
  return { ...stack, stateDir };
}
