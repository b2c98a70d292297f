/** The two clocks of a machine: people set the first, nobody the second. */
export interface Clock {
  /** Milliseconds since 1970; may jump. */
  wallMs(): number;
  /** Milliseconds since some moment; only goes forward. */
  monotonicMs(): number;
}

export const systemClock: Clock = { wallMs: Date.now, monotonicMs: () => performance.now() };
