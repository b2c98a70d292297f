/**
 * The store's thread: it alone touches the file, so that commits, syncs, checkpoints and waiting for another process's
 * lock never hold up the service's event loop.
 */
import { parentPort, workerData } from "node:worker_threads";
import { StoreUnavailable } from "../store.ts";
import { type ConnectionOptions, openConnection } from "./connection.ts";
import { housekeeping } from "./housekeeping.ts";
import { storeOperations } from "./operations.ts";
import type { Call, Opened, Request, Response, Result } from "./wire.ts";

export interface ThreadOptions extends ConnectionOptions {
  path: string;
}

const port = parentPort!;
const { path, ...options } = workerData as ThreadOptions;

function failure(error: unknown): { ok: false; unavailable: boolean; error: unknown } {
  const unavailable = error instanceof StoreUnavailable;
  return { ok: false, unavailable, error };
}

function attempt(work: () => unknown): Result {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    return failure(error);
  }
}

function start(): void {
  const connection = openConnection(path, options);
  const { reads, writes } = storeOperations(connection);
  const chores = housekeeping(connection);

  const perform = (operations: object, { name, args }: Call<string>): unknown =>
    (operations as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);

  /** All in one transaction; if one of them breaks (a bug, or the disk), each in one of its own, so that it falls alone. */
  function write(calls: Call<string>[]): Result[] {
    try {
      const values = connection.write(() => calls.map((call) => perform(writes, call)));
      return values.map((value) => ({ ok: true, value }));
    } catch (error) {
      if (calls.length === 1 || error instanceof StoreUnavailable) return calls.map(() => failure(error));
      return calls.map((call) => attempt(() => connection.write(() => perform(writes, call))));
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
    if (request.writes.length > 0) answer(write(request.writes), request.reads.length === 0);
    if (request.reads.length > 0) {
      answer(
        request.reads.map((call) => attempt(() => connection.read(() => perform(reads, call)))),
        true,
      );
    }
    chores.afterRequest(request.writes.length > 0);
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
