import { Unavailable } from "@parley/protocol";
import { Redis } from "ioredis";
import * as scripts from "./scripts.ts";

/** Redis can't be reached, or did not answer in time. */
export class RedisUnavailable extends Unavailable {
  override name = "RedisUnavailable";
  override readonly told = "Presence is frozen for the moment: try again in a few seconds";
}

export interface RedisConnection {
  redis: Redis;
  /** Whether Redis can be reached now. */
  isUp(): boolean;
  /** Resolves once Redis is there, or after `ms` without it. */
  whenUp(ms: number): Promise<void>;
  /** Called when the connection is there, also after each loss. */
  onUp(listener: () => void): void;
  /** Runs a script of scripts.ts on one shard; rejects with RedisUnavailable when Redis is away or slow. */
  run(script: keyof typeof scripts, prefix: string, args: (string | number)[]): Promise<unknown>;
  close(): Promise<void>;
}

const commandTimeoutMs = 1_500;

/**
 * Connects in the background and stays connected: tries again every 250 ms or so, for ever. Nothing waits for a Redis that
 * is away (no queue while offline, no second sending): who asks is told at once.
 */
export function connectRedis(options: { url: string; onError: (error: unknown) => void }): RedisConnection {
  const redis = new Redis(options.url, {
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_500,
    commandTimeout: commandTimeoutMs,
    retryStrategy: (attempt) => Math.min(250, 25 * attempt),
    scripts: Object.fromEntries(Object.entries(scripts).map(([name, lua]) => [name, { lua, numberOfKeys: 1 }])),
  });
  // A lost connection is told once, not with each attempt.
  let told = false;
  redis.on("error", (error) => {
    if (!told) options.onError(error);
    told = true;
  });
  redis.on("ready", () => {
    told = false;
  });
  const commands = redis as unknown as Record<string, (...args: (string | number)[]) => Promise<unknown>>;
  return {
    redis,
    isUp: () => redis.status === "ready",
    whenUp: (ms) =>
      new Promise((resolve) => {
        if (redis.status === "ready") return resolve();
        const late = setTimeout(resolve, ms);
        redis.once("ready", () => {
          clearTimeout(late);
          resolve();
        });
      }),
    onUp: (listener) => void redis.on("ready", listener),
    async run(script, prefix, args) {
      try {
        return await (commands[script] as (typeof commands)[string])(prefix, ...args);
      } catch (error) {
        throw fromRedis(error);
      }
    },
    async close() {
      await redis.quit().catch(() => {});
      redis.disconnect();
    },
  };
}

/** Errors of a connection become RedisUnavailable; a script's own are faults of ours and pass as they are. */
export function fromRedis(error: unknown): unknown {
  if (
    error instanceof Error &&
    error.name === "ReplyError" &&
    !/^(LOADING|NOSCRIPT|READONLY|OOM|MISCONF|CLUSTERDOWN|TRYAGAIN|MASTERDOWN)/.test(error.message)
  )
    return error;
  return new RedisUnavailable("Redis can't be reached, or did not answer in time", { cause: error });
}
