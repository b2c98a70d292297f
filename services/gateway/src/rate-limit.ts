/** Limits as plain state and pure steps: the caller brings the time. */

/** A token bucket: `perSecond` on the whole, `burst` at once. */
export interface Bucket {
  tokens: number;
  atMs: number;
}

export const fullBucket = (burst: number, nowMs: number): Bucket => ({ tokens: burst, atMs: nowMs });

/** Takes one token. Answers 0, or in how many ms there will be one. */
export function takeToken(bucket: Bucket, perSecond: number, burst: number, nowMs: number): number {
  const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000);
  bucket.atMs = nowMs;
  if (tokens >= 1) {
    bucket.tokens = tokens - 1;
    return 0;
  }
  bucket.tokens = tokens;
  return Math.ceil(((1 - tokens) * 1000) / perSecond);
}

/** Counts what happens within a window that starts with its first event. */
export interface Strikes {
  count: number;
  sinceMs: number;
}

/** Counts one more. Answers how many there are in the window. */
export function strike(strikes: Strikes, windowMs: number, nowMs: number): number {
  if (nowMs - strikes.sinceMs >= windowMs) {
    strikes.count = 0;
    strikes.sinceMs = nowMs;
  }
  return ++strikes.count;
}

/** New connections: so many a second from one address, and so many in all. */
export function createConnectionLimit(perAddress: number, perNode: number) {
  const addresses = new Map<string, Bucket>();
  const node = fullBucket(perNode, 0);
  return {
    /** Answers 0 when the connection may come, else in how many ms to try again. */
    take(address: string, nowMs: number): number {
      let bucket = addresses.get(address);
      if (!bucket) {
        // Forget those that are full again before the table grows without bound.
        if (addresses.size >= 10_000)
          for (const [key, { atMs }] of addresses) if (nowMs - atMs > 2_000) addresses.delete(key);
        bucket = fullBucket(perAddress, nowMs);
        addresses.set(address, bucket);
      }
      const wait = takeToken(bucket, perAddress, perAddress, nowMs);
      return wait > 0 ? wait : takeToken(node, perNode, perNode, nowMs);
    },
  };
}
