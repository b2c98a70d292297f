/** What ends with a test: its context, or `{ after }` of node:test for what a whole file shares. */
export interface Teardown {
  after(step: () => Promise<void> | void): void;
  /** A test's context tells by this that the test failed. */
  readonly error?: Error | null;
}
