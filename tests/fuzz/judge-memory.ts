/** Whether memory stayed flat over a run, told by samples at even steps: the last third against the first, once it is warm. */
export interface Grown {
  /** What was measured: a process, or its heap. */
  name: string;
  /** Medians, in MiB, of the first third after warming up and of the last. */
  first: number;
  last: number;
  flat: boolean;
}

/** Caches, and code that is compiled late, are full by then. */
const warmUpShare = 0.1;
const growthMax = 1.2;
/** So much is noise of the collector, however small the process. */
const noiseMiB = 24;

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

export function judgeMemory(samples: readonly ReadonlyMap<string, number>[]): Grown[] {
  const warm = samples.slice(Math.floor(samples.length * warmUpShare));
  const third = Math.max(1, Math.floor(warm.length / 3));
  return [...(warm[0]?.keys() ?? [])].map((name) => {
    const of = (some: readonly ReadonlyMap<string, number>[]) => median(some.map((sample) => sample.get(name) ?? 0));
    const first = of(warm.slice(0, third));
    const last = of(warm.slice(-third));
    return { name, first, last, flat: last <= first * growthMax + noiseMiB };
  });
}
