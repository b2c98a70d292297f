import type { Connection } from "./connection.ts";

/** Frames (pages of 4 KiB) in the write-ahead log from which it is copied into the file even under load. */
const checkpointFrames = 4_000;
/** Beyond this a checkpoint waits for readers, so that the log starts again at its beginning. */
const restartFrames = 40_000;
/** Rows of a deleted log that go in one transaction. */
const purgeRows = 500;
/** How long after a write the thread tidies up, and rests in between. */
const restMs = 20;
/** How often a busy thread looks how long the log has become, in requests. */
const lookEvery = 32;

/** What the thread does between requests: checkpoints, and removing the logs of deleted rooms. */
export function housekeeping({ db, write }: Connection) {
  const walSize = db.prepare("PRAGMA wal_checkpoint(NOOP)");
  const passive = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  const restart = db.prepare("PRAGMA wal_checkpoint(RESTART)");
  const anyDeleted = db.prepare("SELECT key FROM deleted_logs LIMIT 1");
  const purge = db.prepare(
    "DELETE FROM entries WHERE (key, seq) IN (SELECT key, seq FROM entries WHERE key = ? LIMIT ?)",
  );
  const purged = db.prepare("DELETE FROM deleted_logs WHERE key = ?");

  let requests = 0;

  /** True when there may be more to do. */
  function purgeSome(): boolean {
    if (anyDeleted.get() === undefined) return false;
    return write(() => {
      const row = anyDeleted.get() as { key: number } | undefined;
      if (row === undefined) return false;
      if (Number(purge.run(row.key, purgeRows).changes) < purgeRows) purged.run(row.key);
      return true;
    });
  }

  function checkpoint(fromFrames: number): void {
    const { log, checkpointed } = walSize.get() as { log: number; checkpointed: number };
    const waiting = log - Math.max(0, checkpointed);
    if (waiting < fromFrames) return;
    (log > restartFrames ? restart : passive).get();
  }

  function tidy(): void {
    armed = false;
    try {
      const more = purgeSome();
      checkpoint(1);
      if (more) arm();
    } catch {
      // The disk may be full or the file locked: requests say so to whoever asks; here the next time will do.
    }
  }

  // Not put off by further requests: a busy store has logs to remove too.
  function arm(): void {
    if (armed) return;
    armed = true;
    timer.refresh();
  }

  let armed = true;
  const timer = setTimeout(tidy, restMs);

  return {
    afterRequest(isWrite: boolean): void {
      if (isWrite) arm();
      if (++requests % lookEvery !== 0) return;
      try {
        checkpoint(checkpointFrames);
      } catch {
        // As above.
      }
    },
    stop: (): void => clearTimeout(timer),
  };
}
