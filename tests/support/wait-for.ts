import { setTimeout as sleep } from "node:timers/promises";

/**
 * Looks at a condition until it holds and returns what it gave. Rejects after `timeoutMs`, naming what was waited for;
 * an error that the condition throws counts as "not yet" and is the rejection's cause. `what` as a function is asked only
 * then, and so can tell what was seen last.
 */
export async function waitFor<Value>(
  what: string | (() => string),
  condition: () => Value | Promise<Value>,
  { timeoutMs = 20_000, everyMs = 20 } = {},
): Promise<NonNullable<Exclude<Value, false>>> {
  const endsAt = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as NonNullable<Exclude<Value, false>>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() > endsAt) {
      throw new Error(
        `waited ${timeoutMs} ms in vain for ${typeof what === "string" ? what : what()}`,
        lastError === undefined ? {} : { cause: lastError },
      );
    }
    await sleep(everyMs);
  }
}
