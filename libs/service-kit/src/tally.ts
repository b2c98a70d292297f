/** How long things took, counted into a few steps: one addition for each, so that the hot path may use it. */
export interface Tally {
  /** Upper ends of the steps in seconds, ascending; what is longer counts only in the sum and the count. */
  readonly boundsSeconds: readonly number[];
  /** How many fell into each step; the last is for what is beyond all bounds. */
  readonly counts: Float64Array;
  sumSeconds: number;
  add(elapsedMs: number): void;
}

/** From half a millisecond to ten seconds: what a person waits for. */
const latencyBoundsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createTally(boundsSeconds: readonly number[] = latencyBoundsSeconds): Tally {
  const boundsMs = boundsSeconds.map((seconds) => seconds * 1_000);
  const counts = new Float64Array(boundsMs.length + 1);
  const tally: Tally = {
    boundsSeconds,
    counts,
    sumSeconds: 0,
    add(elapsedMs) {
      let step = 0;
      while (step < boundsMs.length && elapsedMs > (boundsMs[step] as number)) step++;
      counts[step] = (counts[step] as number) + 1;
      tally.sumSeconds += elapsedMs / 1_000;
    },
  };
  return tally;
}
