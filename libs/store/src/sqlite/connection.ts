import { DatabaseSync } from "node:sqlite";
import { StoreUnavailable } from "../store.ts";
import { migrate } from "./schema.ts";

export interface ConnectionOptions {
  /** How long to wait for another process's write lock before StoreUnavailable. */
  busyTimeoutMs: number;
  /** The file's size at most, in pages of 4 KiB; beyond it SQLite says that the disk is full. Null: the disk's own end. */
  maxPages: number | null;
}

/** One connection and the rules by which everything in this folder uses it. Lives in the store's thread. */
export interface Connection {
  db: DatabaseSync;
  /** Runs `work` in one durable transaction, begun with the write lock; rolls back when it throws. */
  write<T>(work: () => T): T;
  /** As `write`, but it is on disk only with the next `write`; for what could be done again. */
  writeUnsynced<T>(work: () => T): T;
  /** Runs `work` on one snapshot. */
  read<T>(work: () => T): T;
  close(): void;
}

/** Throws StoreUnavailable when the file can't be opened. */
export function openConnection(path: string, options: ConnectionOptions): Connection {
  const db = unavailableIfFile(() => new DatabaseSync(path));
  try {
    untilFree(options.busyTimeoutMs, () => {
      // FULL: the log is synced at each commit. Automatic checkpoints run inside COMMIT, so the thread makes its own.
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
      db.exec("PRAGMA cache_size = -65536; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY");
      if (options.maxPages !== null) db.exec(`PRAGMA max_page_count = ${Math.floor(options.maxPages)}`);
    });
  } catch (error) {
    db.close();
    throw error;
  }

  const begin = db.prepare("BEGIN");
  const beginImmediate = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const rollback = db.prepare("ROLLBACK");

  function finish<T>(work: () => T): T {
    try {
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      // SQLite ends some transactions by itself (disk full, I/O error), others stay open.
      if (db.isTransaction) rollback.run();
      throw error;
    }
  }

  function write<T>(work: () => T): T {
    untilFree(options.busyTimeoutMs, () => beginImmediate.run());
    return unavailableIfFile(() => finish(work));
  }

  // A plain BEGIN takes its snapshot with the first read: that may find the file locked, by a process that recovers it.
  function read<T>(work: () => T): T {
    return untilFree(options.busyTimeoutMs, () => {
      begin.run();
      return finish(work);
    });
  }

  const connection: Connection = {
    db,
    write,
    writeUnsynced(work) {
      db.exec("PRAGMA synchronous = NORMAL");
      try {
        return write(work);
      } finally {
        db.exec("PRAGMA synchronous = FULL");
      }
    },
    read,
    close: () => db.close(),
  };
  try {
    migrate(connection);
  } catch (error) {
    db.close();
    throw error;
  }
  return connection;
}

const busyCode = 5;
/** SQLite's primary result codes which say that the file can't be used now, not that a statement is wrong. */
const unavailableCodes = new Map([
  [busyCode, "is locked by another process"],
  [6, "is locked"],
  [7, "ran out of memory"],
  [8, "can't be written to"],
  [10, "can't be read or written: I/O error"],
  [11, "is damaged"],
  [13, "is full, or the disk is"],
  [14, "can't be opened"],
  [15, "is locked by another process"],
  [26, "is not a SQLite file"],
]);

function primaryCode(error: unknown): number | null {
  const code = error instanceof Error ? (error as { errcode?: unknown }).errcode : null;
  return typeof code === "number" ? code & 0xff : null;
}

/** SQLite's errors about the file become StoreUnavailable with the cause kept; all others pass as they are. */
function unavailableIfFile<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const what = unavailableCodes.get(primaryCode(error) ?? -1);
    if (what === undefined) throw error;
    throw new StoreUnavailable(`The store's file ${what}`, { cause: error });
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** SQLite's own back-off sleeps up to 100 ms while a commit takes 0.2 ms: look again soon, with jitter. */
function untilFree<T>(timeoutMs: number, work: () => T): T {
  const deadline = performance.now() + timeoutMs;
  return unavailableIfFile(() => {
    for (let waitMs = 0.2; ; waitMs = Math.min(2, waitMs * 1.5)) {
      try {
        return work();
      } catch (error) {
        if (primaryCode(error) !== busyCode || performance.now() >= deadline) throw error;
        Atomics.wait(sleeper, 0, 0, waitMs * (0.5 + Math.random()));
      }
    }
  });
}
