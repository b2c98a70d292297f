import { setImmediate as turn } from "node:timers/promises";
import { type Store, StoreUnavailable } from "../store.ts";

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * `store` with a log that fails at random points, each as likely as `failures` says: an append before it was done or
 * after (done, and yet rejected, as when the connection breaks), a look-up at all. Any call may also dawdle, so that
 * another writer gets in between.
 */
export function flakyStore(store: Store, seed: number, failures = 0.15): Store {
  const random = randomFrom(seed);
  const fails = (): boolean => random() < failures;

  async function dawdle(): Promise<void> {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await turn();
  }

  async function lookUp<T>(work: () => Promise<T>): Promise<T> {
    await dawdle();
    if (fails()) throw new StoreUnavailable("flaky: looked nothing up");
    const result = await work();
    await dawdle();
    return result;
  }

  return {
    ...store,
    log: {
      ...store.log,
      async append(appends) {
        await dawdle();
        if (fails()) throw new StoreUnavailable("flaky: failed before");
        const outcomes = await store.log.append(appends);
        await dawdle();
        if (fails()) throw new StoreUnavailable("flaky: failed after");
        return outcomes;
      },
      heads: (keys) => lookUp(() => store.log.heads(keys)),
      find: (key, ids) => lookUp(() => store.log.find(key, ids)),
    },
  };
}
