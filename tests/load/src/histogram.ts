/** A histogram of durations in µs, exact to 1.6 %: 64 steps for each doubling. */

const stepsPerDoubling = 64;
const doublings = 36;

export interface Histogram {
  add(micros: number): void;
  addAll(other: Histogram): void;
  /** The duration (µs) that `share` (0–1) of all stay under; 0 when there are none. */
  quantile(share: number): number;
  readonly count: number;
  readonly maxMicros: number;
  readonly buckets: Float64Array;
}

export function createHistogram(): Histogram {
  const buckets = new Float64Array(stepsPerDoubling * (doublings + 1));
  let count = 0;
  let maxMicros = 0;
  // Below 64 µs a step is one µs; above, the doubling's exponent and the 6 bits after its leading one.
  const indexOf = (micros: number): number => {
    if (micros < stepsPerDoubling) return Math.floor(micros);
    const exponent = Math.floor(Math.log2(micros));
    const step = Math.floor((micros / 2 ** exponent - 1) * stepsPerDoubling);
    return Math.min(buckets.length - 1, (exponent - 5) * stepsPerDoubling + step);
  };
  const upperBoundOf = (index: number): number => {
    if (index < stepsPerDoubling) return index + 1;
    const exponent = Math.floor(index / stepsPerDoubling) + 5;
    return 2 ** exponent * (1 + ((index % stepsPerDoubling) + 1) / stepsPerDoubling);
  };
  return {
    add(micros) {
      const duration = Math.max(micros, 0);
      buckets[indexOf(duration)]!++;
      count++;
      if (duration > maxMicros) maxMicros = duration;
    },
    addAll(other) {
      for (let i = 0; i < buckets.length; i++) buckets[i]! += other.buckets[i]!;
      count += other.count;
      maxMicros = Math.max(maxMicros, other.maxMicros);
    },
    quantile(share) {
      let left = Math.max(1, Math.ceil(count * share));
      if (count === 0) return 0;
      for (let i = 0; i < buckets.length; i++) {
        left -= buckets[i]!;
        if (left <= 0) return Math.min(maxMicros, upperBoundOf(i));
      }
      return maxMicros;
    },
    get count() {
      return count;
    },
    get maxMicros() {
      return maxMicros;
    },
    buckets,
  };
}
