const baseMs = 500;
const maxMs = 20_000;

/** A connection that was good for so long makes the next wait short again. */
export const resetAfterMs = 60_000;

/**
 * How long to wait before try number `attempt` (0, 1, 2 …), in milliseconds: full jitter, so that clients which lost the
 * same server do not come back in one wave. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  return random * Math.min(maxMs, baseMs * 2 ** attempt);
}
