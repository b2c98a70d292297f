import { Worker } from "node:worker_threads";
import type { Connection } from "./connection.ts";

/** Pages in the write-ahead log, not yet copied into the file, from which they are copied even under load. */
const copyPages = 4_000;
/** Pages from which the log is to start again at its beginning; that needs a moment in which nobody writes. */
const restartPages = 16_000;
/** How often a busy thread looks, in writes. */
const lookEvery = 16;

export interface Checkpoints {
  /** To be called after each write. */
  afterWrite(): void;
  /** Copies what there is. */
  whenIdle(): void;
  close(): void;
}

/** Automatic checkpoints would run inside COMMIT; these run in a thread of their own, started when first needed. */
export function checkpoints({ db }: Connection, path: string): Checkpoints {
  const look = db.prepare("PRAGMA wal_checkpoint(NOOP)");
  const here = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  let worker: Worker | null = null;
  let copying = false;
  let writes = 0;

  /** A store in memory has no log: -1 pages. */
  const pages = (): { log: number; waiting: number } => {
    const { log, checkpointed } = look.get() as { log: number; checkpointed: number };
    return { log, waiting: log - Math.max(0, checkpointed) };
  };

  function start(): Worker {
    const started = new Worker(new URL("./checkpoint-thread.ts", import.meta.url), {
      workerData: path,
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    started.unref();
    started.on("message", () => {
      copying = false;
      // What was written meanwhile is little, and once it is copied too, the next write begins the log anew.
      try {
        if (pages().log > restartPages) here.get();
      } catch {
        // As in copy.
      }
    });
    // It could not open the file, say: the next need starts another.
    started.on("error", () => {});
    started.once("exit", () => {
      worker = null;
      copying = false;
    });
    return started;
  }

  function copy(fromPages: number): void {
    try {
      if (copying || pages().waiting < fromPages) return;
    } catch {
      // The file can't be read now; requests say so to whoever asks, and a later look may do better.
      return;
    }
    copying = true;
    worker ??= start();
    worker.postMessage("checkpoint");
  }

  return {
    afterWrite(): void {
      if (++writes % lookEvery === 0) copy(copyPages);
    },
    whenIdle: () => copy(1),
    close(): void {
      worker?.ref();
      worker?.postMessage("close");
    },
  };
}
