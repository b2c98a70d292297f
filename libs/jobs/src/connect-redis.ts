import { Redis, type RedisOptions } from "ioredis";

/** A connection that comes back by itself. `onError` hears of each failed attempt. */
export function connectRedis(url: string, options: RedisOptions, onError: (error: Error) => void): Redis {
  const redis = new Redis(url, { retryStrategy: (attempt) => Math.min(2_000, attempt * 100), ...options });
  redis.on("error", onError);
  return redis;
}
