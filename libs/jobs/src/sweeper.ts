/** Finds records that are due and have no job: Redis was down, was flushed, or whoever accepted them died before adding it. */

export interface DueRecord {
  id: string;
  dueAtMs: number | null;
}

export interface SweeperOptions<Row extends DueRecord> {
  /** As the store's `due`. */
  due: (atMs: number, options: { after: { dueAtMs: number; id: string } | null; limit: number }) => Promise<Row[]>;
  /** Adds jobs for those of a page; answers whether Redis took them. */
  add: (records: Row[]) => Promise<boolean>;
  everyMs: number;
  /** A cheap guess that all have a job already: then only every sixth round looks, as new records may hide a missing one. */
  seemComplete?: () => Promise<boolean>;
  /** Records due for less than this are left to the job they have. */
  graceMs: number;
  onError: (error: Error) => void;
}

export interface Sweeper {
  /** Looks through all once, now; answers how many were due. */
  sweep(): Promise<number>;
  stop(): void;
}

const pageSize = 500;
const lookAnyway = 6;

export function startSweeper<Row extends DueRecord>(options: SweeperOptions<Row>): Sweeper {
  let stopped = false;
  let timer: NodeJS.Timeout;

  const sweep = async (): Promise<number> => {
    const atMs = Date.now() - options.graceMs;
    let found = 0;
    for (let after: { dueAtMs: number; id: string } | null = null; !stopped; ) {
      const page: Row[] = await options.due(atMs, { after, limit: pageSize });
      const last = page.at(-1);
      if (!last || last.dueAtMs === null) break;
      // Redis is away: the next round begins anew.
      if (!(await options.add(page))) break;
      found += page.length;
      after = { dueAtMs: last.dueAtMs, id: last.id };
    }
    return found;
  };

  let rounds = 0;
  const round = async () => {
    try {
      if (++rounds % lookAnyway === 0 || !(await options.seemComplete?.())) await sweep();
    } catch (error) {
      options.onError(error as Error);
    }
    // Not all processes at the same moment.
    if (!stopped) timer = setTimeout(round, options.everyMs * (0.8 + Math.random() * 0.4));
  };
  timer = setTimeout(round, options.everyMs * Math.random());

  return {
    sweep,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
