/** Makes one set of figures of several rounds': counts and times add up, histograms merge. */
import type { Histogram } from "./histogram.ts";

const isHistogram = (value: object): value is Histogram => "addAll" in value;

function poolValues(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    if (isHistogram(a) && isHistogram(b)) {
      a.addAll(b);
      return a;
    }
    const left = a as Record<string, unknown>;
    const right = b as Record<string, unknown>;
    const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
    return Object.fromEntries([...keys].map((key) => [key, poolValues(left[key], right[key])]));
  }
  return b ?? a;
}

/** `rounds` holds one at least. The first round's histograms take in the others'. */
export const poolRounds = <Figures extends object>(rounds: Figures[]): Figures =>
  rounds.reduce((pooled, round) => poolValues(pooled, round) as Figures);
