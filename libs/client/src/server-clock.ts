/**
 * What the clock of a timer's worker says, as far as its frames tell: each says when it was made, and comes a little later.
 * The one that took the least time is nearest to the truth. Measured against a clock that nobody sets, so a wrong device
 * clock, or one that is set meanwhile, changes nothing.
 */
export function createServerClock(monotonicMs: () => number = () => performance.now()) {
  const kept = 8;
  let offsets: number[] = [];
  return {
    /** A frame that was made at `atMs` by the server's clock has just come. */
    heard(atMs: number): void {
      offsets = [...offsets, atMs - monotonicMs()].slice(-kept);
    },
    /** The server's time now; null before the first frame. */
    nowMs: (): number | null => (offsets.length === 0 ? null : Math.max(...offsets) + monotonicMs()),
    forget(): void {
      offsets = [];
    },
  };
}
