import { setTimeout as sleep } from "node:timers/promises";
import type { TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

/** Resolves when an instance of a service can be used. */
export function whenReady(stack: TestStack, service: string, instance: number): Promise<true> {
  const url = `${stack.internalUrl(service, instance)}/readyz`;
  const isReady = async () => (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok;
  return waitFor(`${service} ${instance} to be ready`, isReady, { timeoutMs: 30_000 });
}

export interface Killing {
  /** Kills so far. */
  kills(): number;
  /** Resolves with how many there were, once the work has ended and both instances are ready again. */
  ended: Promise<number>;
}

/**
 * Kills instance 1, 2, 1, 2 … of a service with SIGKILL until `work` has ended. A kill waits for the other instance to be
 * ready: on a slow machine nobody would be left to go on otherwise. So work goes on until there were enough.
 */
export function killInTurn(stack: TestStack, service: string, everyMs: number, work: Promise<unknown>): Killing {
  let over = false;
  let kills = 0;
  const workEnded = work.then(
    () => (over = true),
    () => (over = true),
  );
  const run = async () => {
    for (; ; kills++) {
      await Promise.race([sleep(everyMs), workEnded]);
      const [victim, other] = kills % 2 === 0 ? [1, 2] : [2, 1];
      if (!over) await whenReady(stack, service, other);
      if (over) {
        await whenReady(stack, service, 1);
        await whenReady(stack, service, 2);
        return kills;
      }
      stack.kill9(service, victim);
    }
  };
  return { kills: () => kills, ended: run() };
}
