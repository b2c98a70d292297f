import type { Connection } from "./connection.ts";
import type { StoreOperations } from "./operations.ts";

/** Bytes in the journal from which it is folded even under load; each process holds as much in memory. */
const foldBytes = 4 * 1_048_576;
/** Entries folded in one transaction: other work waits for that long. */
const foldSlice = 1_000;
/** Pages in the write-ahead log from which it is copied into the file even under load. */
const checkpointPages = 8_000;
/** Beyond this a checkpoint waits for readers, so that the log starts again at its beginning. */
const restartPages = 40_000;
/** Rows of a deleted log that go in one transaction. */
const purgeRows = 500;
/** So long after the first write the thread tidies up, however little there is; in between it rests for a moment. */
const tidyAfterMs = 5_000;
const restMs = 10;

/** What the thread does between requests: folding, checkpoints, removing the logs of deleted rooms. */
export function housekeeping({ db }: Connection, { write, chores }: StoreOperations) {
  const walPages = db.prepare("PRAGMA wal_checkpoint(NOOP)");
  const passive = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  const restart = db.prepare("PRAGMA wal_checkpoint(RESTART)");

  let timer: NodeJS.Timeout | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let folding = false;

  function checkpoint(fromPages: number): void {
    const { log, checkpointed } = walPages.get() as { log: number; checkpointed: number };
    if (log - Math.max(0, checkpointed) < fromPages) return;
    (log > restartPages ? restart : passive).get();
  }

  /** A step of folding; what fails is tried again later, and requests say so to whoever asks. */
  function foldSome(): void {
    try {
      folding = write(() => chores.fold(foldSlice));
      if (!folding) checkpoint(checkpointPages);
    } catch {
      folding = false;
    }
  }

  function tidy(): void {
    timer = undefined;
    dueAt = Number.POSITIVE_INFINITY;
    let more = false;
    try {
      if (chores.unfoldedBytes() > 0) folding = write(() => chores.fold(foldSlice));
      more = folding || chores.hasDeletedLogs();
      if (!folding && more) write(() => chores.purge(purgeRows));
      if (!more) checkpoint(1);
    } catch {
      // The disk may be full or the file locked: a later write brings the next try.
    }
    if (more) schedule(restMs);
  }

  function schedule(ms: number): void {
    const at = performance.now() + ms;
    if (at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(tidy, ms);
  }

  // What the last run left.
  schedule(restMs);

  return {
    afterWrite(): void {
      if (folding || chores.unfoldedBytes() >= foldBytes) foldSome();
      schedule(folding ? restMs : tidyAfterMs);
    },
    afterDelete: (): void => schedule(restMs),
    stop: (): void => clearTimeout(timer),
  };
}
