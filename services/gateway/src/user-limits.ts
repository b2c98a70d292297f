/**
 * What one user may do over all connections and all nodes. Each gateway counts for itself and, twice a second, tells the
 * others of those who use much: they take it off what they would grant. So a user who spreads over the nodes gets at most
 * what one node would grant, and half a second's worth for each other one; and nothing is said while nobody uses much.
 */
import { type Bus, subjects } from "@parley/bus";
import { type Bucket, fullBucket, takeToken } from "./rate-limit.ts";

export interface UserLimitsOptions {
  bus: Bus;
  node: string;
  eventsPerSecond: number;
  sessionsMax: number;
  /** Sessions of this user here. */
  sessionsHere: (user: string) => number;
}

export interface UserLimits {
  /** Counts one event. Answers 0, or in how many ms to try again. */
  take(user: string, nowMs: number): number;
  /** Whether the user may have one more session. */
  mayEnter(user: string): boolean;
  close(): void;
}

interface Usage {
  bucket: Bucket;
  /** Events since the others were told. */
  spent: number;
  /** Sessions on other nodes, and when those said so. */
  elsewhere: Map<string, { sessions: number; atMs: number }> | null;
}

/** On `subjects.usage()`, as JSON. */
interface UsageTold {
  node: string;
  /** User, events since the last telling, sessions there. */
  users: [user: string, spent: number, sessions: number][];
}

const tellEveryMs = 500;
const believedMs = 5_000;
const perMessage = 1_000;

export function createUserLimits(options: UserLimitsOptions): UserLimits {
  const { bus, node, eventsPerSecond, sessionsMax, sessionsHere } = options;
  const burst = 2 * eventsPerSecond;
  const users = new Map<string, Usage>();

  const usageOf = (user: string, nowMs: number): Usage => {
    let usage = users.get(user);
    if (!usage) {
      usage = { bucket: fullBucket(burst, nowMs), spent: 0, elsewhere: null };
      users.set(user, usage);
    }
    return usage;
  };

  const tell = () => {
    const nowMs = performance.now();
    const told: UsageTold["users"] = [];
    for (const [user, usage] of users) {
      const here = sessionsHere(user);
      const usesMuch = usage.spent * 1000 >= eventsPerSecond * tellEveryMs * 0.2;
      if (usesMuch || here * 10 >= sessionsMax) told.push([user, usage.spent, here]);
      usage.spent = 0;
      for (const [other, { atMs }] of usage.elsewhere ?? [])
        if (nowMs - atMs > believedMs) usage.elsewhere?.delete(other);
      if (here === 0 && !usage.elsewhere?.size && nowMs - usage.bucket.atMs > believedMs) users.delete(user);
    }
    for (let i = 0; i < told.length; i += perMessage)
      bus.publish(subjects.usage(), JSON.stringify({ node, users: told.slice(i, i + perMessage) } satisfies UsageTold));
  };
  const timer = setInterval(tell, tellEveryMs);

  const subscription = bus.nc.subscribe(subjects.usage(), {
    callback: (error, msg) => {
      if (error) return;
      const told = msg.json<UsageTold>();
      if (told.node === node) return;
      const nowMs = performance.now();
      for (const [user, spent, sessions] of told.users) {
        const usage = usageOf(user, nowMs);
        usage.bucket.tokens = Math.max(-burst, usage.bucket.tokens - spent);
        usage.elsewhere ??= new Map();
        usage.elsewhere.set(told.node, { sessions, atMs: nowMs });
      }
    },
  });

  return {
    take(user, nowMs) {
      const usage = usageOf(user, nowMs);
      const waitMs = takeToken(usage.bucket, eventsPerSecond, burst, nowMs);
      if (waitMs === 0) usage.spent++;
      return waitMs;
    },
    mayEnter(user) {
      let count = sessionsHere(user);
      for (const { sessions } of users.get(user)?.elsewhere?.values() ?? []) count += sessions;
      return count < sessionsMax;
    },
    close() {
      clearInterval(timer);
      subscription.unsubscribe();
    },
  };
}
