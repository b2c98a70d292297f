/**
 * The store's thread: it alone touches the file, so that commits, syncs, checkpoints and waiting for another process's
 * lock never hold up the service's event loop.
 */
import { parentPort, workerData } from "node:worker_threads";
import { StoreUnavailable } from "../store.ts";
import { type ConnectionOptions, openConnection } from "./connection.ts";
import { type HousekeepingOptions, housekeeping } from "./housekeeping.ts";
import { storeOperations } from "./operations.ts";
import type { Call, Opened, Request, Response, Result } from "./wire.ts";

export interface ThreadOptions extends ConnectionOptions, HousekeepingOptions {}

const port = parentPort!;
const options = workerData as ThreadOptions;

function failure(error: unknown): { ok: false; unavailable: boolean; error: unknown } {
  const unavailable = error instanceof StoreUnavailable;
  return { ok: false, unavailable, error };
}

function start(): void {
  const connection = openConnection(options.path, options);
  const store = storeOperations(connection);
  const { reads, writes } = store;
  const chores = housekeeping(connection, store, options);

  const perform = (operations: object, { name, args }: Call<string>): unknown =>
    (operations as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);

  /**
   * All in one transaction, or snapshot; if one of them breaks (a bug, not the disk), each in one of its own, so that it
   * breaks alone.
   */
  function run(transaction: (work: () => unknown[]) => unknown[], operations: object, calls: Call<string>[]): Result[] {
    try {
      const values = transaction(() => calls.map((call) => perform(operations, call)));
      return values.map((value) => ({ ok: true, value }));
    } catch (error) {
      const broken = failure(error);
      if (calls.length === 1 || broken.unavailable) return calls.map(() => broken);
      return calls.flatMap((call) => run(transaction, operations, [call]));
    }
  }

  const answer = (results: Result[], done: boolean): void => {
    const response: Response = { results, done };
    port.postMessage(response);
  };

  port.on("message", (request: Request | "close") => {
    if (request === "close") {
      chores.stop();
      connection.close();
      port.close();
      return;
    }
    const { batch, writes: asked, reads: askedReads } = request;
    store.receive(batch);
    if (asked.length > 0) answer(run(store.write, writes, asked), askedReads.length === 0);
    if (askedReads.length > 0) answer(run(store.read, reads, askedReads), true);
    if (asked.length > 0) chores.afterWrite();
    if (asked.some((call) => call.name === "deleteRoom")) chores.afterDelete();
  });
}

let opened: Opened = { opened: true };
try {
  start();
} catch (error) {
  const { unavailable } = failure(error);
  opened = { opened: false, unavailable, error };
}
port.postMessage(opened);
if (!opened.opened) port.close();
