/** The clockwork that the scenarios share. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import { nowMicros } from "./send-frame.ts";

/**
 * Calls `step` again and again until it returns false: every millisecond, or with `spin` in each turn of the event
 * loop, which then never sleeps.
 */
export async function runLoop(spin: boolean, step: (atMicros: number) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        if (!step(nowMicros())) resolve();
        else if (spin) setImmediate(turn);
        else setTimeout(turn, 1);
      } catch (error) {
        reject(error);
      }
    };
    turn();
  });
}

/** Waits until `done`, at most `limitMs`; says whether it came to be. */
export async function waitUntil(done: () => boolean, limitMs: number): Promise<boolean> {
  const giveUpAt = performance.now() + limitMs;
  while (!done()) {
    if (performance.now() >= giveUpAt) return false;
    await sleep(5);
  }
  return true;
}

/**
 * Opens `count` connections, `inflight` at a time, and hands them back in order. When one fails, all are closed
 * and its error is thrown.
 */
export async function openAll(
  count: number,
  inflight: number,
  open: (index: number) => Promise<Connection>,
  onProgress: (opened: number) => void,
): Promise<Connection[]> {
  const connections: Connection[] = [];
  let next = 0;
  let opened = 0;
  let failure: unknown = null;
  const worker = async (): Promise<void> => {
    while (next < count && failure === null) {
      const index = next++;
      try {
        connections[index] = await open(index);
        onProgress(++opened);
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(inflight, count) }, worker));
  if (failure === null) return connections;
  for (const connection of connections) connection?.close();
  const reason = failure instanceof Error ? failure.message : String(failure);
  throw new Error(`connection ${opened + 1} of ${count} could not be made ready: ${reason}`);
}

export function closeAll(connections: Connection[]): Promise<void> {
  for (const connection of connections) connection.close();
  // The sockets close in the turns that follow.
  return nextTurn();
}
