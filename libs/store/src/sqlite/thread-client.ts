import { Worker } from "node:worker_threads";
import type { AppendOutcome, RoomAppend } from "../room-log.ts";
import { StoreUnavailable } from "../store.ts";
import { batchWriter } from "./batch.ts";
import type { Reads, Writes } from "./operations.ts";
import type { ThreadOptions } from "./thread.ts";
import type { Call, Opened, Request, Response, Result } from "./wire.ts";

type Promised<F> = F extends (...args: infer Args) => infer Value ? [Args, Value] : never;
type ArgsOf<F> = Promised<F>[0];
type ValueOf<F> = Promised<F>[1];

/** The main thread's side of the store's thread. */
export interface ThreadClient {
  /** As `write`, for what is written most. */
  append(appends: RoomAppend[]): Promise<AppendOutcome[]>;
  /** Shares one durable transaction with whatever else is asked for while the thread is at work. */
  write<K extends keyof Writes>(name: K, ...args: ArgsOf<Writes[K]>): Promise<ValueOf<Writes[K]>>;
  /** Sees every write whose promise was resolved before. */
  read<K extends keyof Reads>(name: K, ...args: ArgsOf<Reads[K]>): Promise<ValueOf<Reads[K]>>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

interface Queue {
  calls: Call<string>[];
  waiting: Waiting[];
}

const emptyQueue = (): Queue => ({ calls: [], waiting: [] });

/** A thread that died is started anew at the next call, but not more often than this. */
const restartAfterMs = 200;

/** Starts the thread; rejects with StoreUnavailable when it can't open the file. */
export async function startThread(options: ThreadOptions): Promise<ThreadClient> {
  let writes = emptyQueue();
  let reads = emptyQueue();
  const batch = batchWriter();
  /** Those whose request is with the thread, in the order of its answers. */
  let underWay: Waiting[] = [];
  let answered = 0;
  let worker: Worker | null = null;
  let flushing = false;
  let busy = true;
  let closing: Promise<void> | null = null;
  /** Set by close: called when all that was asked for has its answer. */
  let whenIdle: (() => void) | null = null;

  function fail(error: StoreUnavailable): void {
    const all = [...underWay.slice(answered), ...writes.waiting, ...reads.waiting];
    underWay = [];
    writes = emptyQueue();
    reads = emptyQueue();
    batch.take();
    for (const { reject } of all) reject(error);
    whenIdle?.();
  }

  function flush(): void {
    flushing = false;
    if (busy || worker === null) return;
    if (writes.calls.length + reads.calls.length === 0) {
      whenIdle?.();
      return;
    }
    busy = true;
    answered = 0;
    underWay = writes.waiting.concat(reads.waiting);
    const request = { batch: batch.take(), writes: writes.calls, reads: reads.calls } as Request;
    writes = emptyQueue();
    reads = emptyQueue();
    try {
      worker.postMessage(request, [request.batch.buffer]);
    } catch (error) {
      // Somebody passed what can't be copied to a thread.
      const refused = underWay;
      underWay = [];
      busy = false;
      for (const { reject } of refused) reject(error);
    }
  }

  function settle(result: Result, waiting: Waiting): void {
    if (result.ok) waiting.resolve(result.value);
    else waiting.reject(errorOf(result));
  }

  function onResponse(response: Response): void {
    for (const result of response.results) settle(result, underWay[answered++]!);
    if (!response.done) return;
    underWay = [];
    busy = false;
    flush();
  }

  function launch(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    busy = true;
    const started = new Worker(new URL("./thread.ts", import.meta.url), {
      workerData: options,
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    worker = started;
    started.once("message", (opened: Opened) => {
      if (!opened.opened) {
        reject(errorOf(opened));
        return;
      }
      started.on("message", onResponse);
      busy = false;
      resolve();
      flush();
    });
    let cause: unknown;
    started.on("error", (error) => {
      cause = error;
    });
    started.once("exit", () => {
      if (worker === started) worker = null;
      const error = new StoreUnavailable("The store's thread ended", { cause });
      reject(error);
      fail(error);
    });
    return promise;
  }

  let relaunchAt = 0;
  function relaunch(): void {
    relaunchAt = performance.now() + restartAfterMs;
    launch().catch((error: unknown) => fail(error as StoreUnavailable));
  }

  /** Throws when there is no thread to ask, and there won't be one in a moment. */
  function ensureThread(): void {
    if (closing !== null) throw new StoreUnavailable("The store is closed");
    if (worker !== null) return;
    if (performance.now() < relaunchAt) throw new StoreUnavailable("The store's thread is down");
    relaunch();
  }

  function ask(queue: Queue, name: string, args: unknown[]): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    queue.calls.push({ name, args });
    queue.waiting.push({ resolve, reject });
    // A microtask later, so that all that one turn asks for goes together.
    if (!busy && !flushing) {
      flushing = true;
      queueMicrotask(flush);
    }
    return promise;
  }

  /** All that was asked for is answered first. */
  async function close(): Promise<void> {
    if (worker !== null) {
      const { promise, resolve } = Promise.withResolvers<void>();
      whenIdle = resolve;
      flush();
      await promise;
    }
    const ended = worker;
    if (ended === null) return;
    const exit = new Promise((resolve) => ended.once("exit", resolve));
    ended.postMessage("close");
    await exit;
  }

  await launch();

  return {
    async append(appends) {
      ensureThread();
      const start = batch.end;
      for (const append of appends) batch.append(append);
      return ask(writes, "append", [start, appends.length]) as Promise<AppendOutcome[]>;
    },
    async write(name, ...args) {
      ensureThread();
      return ask(writes, name, args) as Promise<never>;
    },
    async read(name, ...args) {
      ensureThread();
      return ask(reads, name, args) as Promise<never>;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function errorOf(failed: { unavailable: boolean; error: unknown }): unknown {
  // Structured clone keeps message, stack and cause, but not the class.
  if (!failed.unavailable) return failed.error;
  const { message, cause } = failed.error as Error;
  return new StoreUnavailable(message, { cause });
}
