/** Watches numbers that should ascend by one: what is missing, what came late, what came twice. */

export interface Sequence {
  /** Takes the next number seen. Numbers below the first one expected count as repeated. */
  see(number: number): void;
  /** How many numbers were skipped and never came, given that `last` was the last one there is. */
  missing(last: number): number;
  readonly repeated: number;
  readonly outOfOrder: number;
}

export function createSequence(first: number): Sequence {
  let next = first;
  let repeated = 0;
  let outOfOrder = 0;
  // Made by the first gap only: most connections never see one.
  let skipped: Set<number> | null = null;
  return {
    see(number) {
      if (number === next) {
        next++;
        return;
      }
      if (number > next) {
        skipped ??= new Set();
        for (let i = next; i < number; i++) skipped.add(i);
        next = number + 1;
      } else if (skipped?.delete(number)) outOfOrder++;
      else repeated++;
    },
    missing: (last) => (skipped?.size ?? 0) + Math.max(0, last + 1 - next),
    get repeated() {
      return repeated;
    },
    get outOfOrder() {
      return outOfOrder;
    },
  };
}
