import { setTimeout as sleep } from "node:timers/promises";
import type { TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

/** Resolves when an instance of a service can be used. */
export function whenReady(stack: TestStack, service: string, instance: number): Promise<true> {
  const url = `${stack.internalUrl(service, instance)}/readyz`;
  const isReady = async () => (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok;
  return waitFor(`${service} ${instance} to be ready`, isReady, { timeoutMs: 30_000 });
}

/**
 * Kills instance 1, 2, 1, 2 … of a service with SIGKILL until `work` has ended, and resolves with how many kills. A kill
 * waits for the other instance to be ready: on a slow machine nobody would be left to go on otherwise.
 */
export async function killInTurn(stack: TestStack, service: string, everyMs: number, work: Promise<unknown>) {
  let over = false;
  const ended = work.then(
    () => (over = true),
    () => (over = true),
  );
  for (let kills = 0; ; kills++) {
    await Promise.race([sleep(everyMs), ended]);
    const [victim, other] = kills % 2 === 0 ? [1, 2] : [2, 1];
    if (!over) await whenReady(stack, service, other);
    if (over) {
      await whenReady(stack, service, 1);
      await whenReady(stack, service, 2);
      return kills;
    }
    stack.kill9(service, victim);
  }
}
