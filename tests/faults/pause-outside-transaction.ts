import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

/** Stopped amid a transaction, a worker holds SQLite's one write lock until it goes on, and nobody can write meanwhile. */
export async function pauseOutsideTransaction(stack: TestStack, service: string, instance: number): Promise<void> {
  const store = new DatabaseSync(join(stack.stateDir, "data/parley.db"), { timeout: 500 });
  const isFree = () => {
    try {
      store.exec("BEGIN IMMEDIATE; ROLLBACK");
      return true;
    } catch {
      return false;
    }
  };
  const paused = () => {
    stack.pause(service, instance);
    if (isFree()) return true;
    stack.resume(service, instance);
    return false;
  };
  await waitFor("a pause that leaves the store's write lock free", paused).finally(() => store.close());
}
