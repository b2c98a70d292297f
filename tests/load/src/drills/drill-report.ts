/** Drills as reports: figures by name, and a drawing of when things happened. */
import type { Row } from "../report.ts";

/** The value that `share` (0–1) of all stay at or under; NaN when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** The median of the p99 of all turns of a state, so that one hiccup of the machine is none of the state's. */
export const typicalP99 = (turns: readonly (readonly number[])[]): number =>
  median(turns.map((turn) => quantile(turn, 0.99)));

export const row = (name: string, ours: number): Row => ({
  name,
  ours: Number.isNaN(ours) ? null : ours,
  bare: null,
  ratio: null,
});

/** p50, p99 and the largest of a list of milliseconds. */
export const quantileRows = (what: string, valuesMs: readonly number[]): Row[] => [
  row(`${what} p50, ms`, quantile(valuesMs, 0.5)),
  row(`${what} p99, ms`, quantile(valuesMs, 0.99)),
  row(`${what} max, ms`, quantile(valuesMs, 1)),
];

const barChars = 60;

/** How many happened in each step of time, as bars: one line a step, up to the last that holds any. */
export function drawArrivals(atMs: readonly number[], stepMs: number): string[] {
  const counts: number[] = Array.from({ length: Math.floor(quantile(atMs, 1) / stepMs) + 1 }, () => 0);
  for (const at of atMs) counts[Math.floor(at / stepMs)]!++;
  const most = Math.max(...counts);
  return counts.map((count, i) => {
    const from = `${((i * stepMs) / 1000).toFixed(2)} s`.padStart(8);
    return `${from} ${"█".repeat(Math.round((count * barChars) / most))}${count > 0 ? ` ${count}` : ""}`;
  });
}
