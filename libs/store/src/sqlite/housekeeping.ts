import { checkpoints } from "./checkpoints.ts";
import type { Connection } from "./connection.ts";
import type { StoreOperations } from "./operations.ts";

/** Rows of a deleted log that go in one transaction. */
const purgeRows = 500;
/** So long after the first write the thread tidies up, however little there is; in between it rests for a moment. */
const tidyAfterMs = 5_000;
const restMs = 10;

export interface HousekeepingOptions {
  path: string;
  /** Bytes in the journal from which it is folded even under load; each process holds as much in memory. */
  foldBytes: number;
  /** Entries folded in one transaction at least; other work waits meanwhile. */
  foldEntries: number;
}

/** What the thread does between requests: folding, checkpoints, removing the logs of deleted rooms. */
export function housekeeping(
  connection: Connection,
  { writeUnsynced, chores }: StoreOperations,
  { path, foldBytes, foldEntries }: HousekeepingOptions,
) {
  const { afterWrite, whenIdle, close } = checkpoints(connection, path);
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let folding = false;
  /** Entries that were left by the last step of folding. */
  let left = 0;

  /** A step of folding, of more than came since the last. What fails is tried again after a later write; requests say so to whoever asks. */
  function foldSome(): void {
    try {
      const came = chores.unfolded().entries - left;
      folding = writeUnsynced(() => chores.fold(Math.max(foldEntries, folding ? 2 * came : 0)));
      left = chores.unfolded().entries;
    } catch {
      folding = false;
    }
  }

  function purgeSome(): boolean {
    try {
      if (!chores.hasDeletedLogs()) return false;
      writeUnsynced(() => chores.purge(purgeRows));
      return true;
    } catch {
      return false;
    }
  }

  function tidy(): void {
    timer = undefined;
    dueAt = Number.POSITIVE_INFINITY;
    if (folding || chores.unfolded().bytes > 0) foldSome();
    if (folding || purgeSome()) schedule(restMs);
    else whenIdle();
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
      if (folding || chores.unfolded().bytes >= foldBytes) foldSome();
      afterWrite();
      schedule(folding ? restMs : tidyAfterMs);
    },
    afterDelete: (): void => schedule(restMs),
    stop(): void {
      clearTimeout(timer);
      close();
    },
  };
}
