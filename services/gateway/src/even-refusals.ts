/**
 * What may not be seen and what is not there are refused alike, in time too: looking for what is there takes another time than
 * finding nothing. So a worker's `forbidden` is told at the first of even ticks a while after the question came, and nothing of
 * how long the answer took is left in it.
 */
export interface EvenRefusals {
  /** Tells at a tick, some 25 ms or more after `askedAtMs`; a later answer goes at the next tick. */
  tell(askedAtMs: number, tell: () => void): void;
  /** The tick: to be called at an even beat, whether anything waits or not. */
  sweep(nowMs: number): void;
}

/** Longer than a worker's answer takes on a system that is well. */
const afterMs = 25;

export function createEvenRefusals(): EvenRefusals {
  let waiting: { dueAtMs: number; tell: () => void }[] = [];

  return {
    tell: (askedAtMs, tell) => void waiting.push({ dueAtMs: askedAtMs + afterMs, tell }),
    sweep(nowMs) {
      if (waiting.length === 0) return;
      const due = waiting.filter(({ dueAtMs }) => dueAtMs <= nowMs);
      if (due.length === 0) return;
      waiting = waiting.filter(({ dueAtMs }) => dueAtMs > nowMs);
      for (const { tell } of due) tell();
    },
  };
}
