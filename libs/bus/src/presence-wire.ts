/** What gateways ask presence workers, as JSON, and what the workers tell all gateways. */
import type { PresentUser, Status, User } from "@parley/protocol";
import { partitionOf } from "./partitions.ts";

/** Presence is kept in shards, by user: a shard's keys share one slot of a Redis cluster, and its changes one worker. */
export const presenceShards = 64;

/** The shard of a user, which is also the partition to ask. */
export const shardOf = (user: string): number => partitionOf(user) % presenceShards;

/** What somebody chose by `SetStatus`, and when: the newest choice of all the user's sessions holds. */
export interface StatusChoice {
  status: Status;
  text: string;
  atMs: number;
}

/** One session as its gateway sees it. */
export interface SessionReport {
  session: string;
  user: User;
  /** Without a Heartbeat for a minute. */
  idle: boolean;
  /** Rooms it listens to. */
  rooms: string[];
  choice: StatusChoice | null;
  /** 32-bit hash of all the above: the gateway and Redis compare sums of these. */
  hash: number;
}

export interface SessionEnd {
  session: string;
  user: User;
  /** Told without the grace. */
  atOnce: boolean;
}

export type PresenceRequest =
  /** The node lives. Answer json `{memory}`: another word than last time means that Redis lost what it held. */
  | { kind: "lease"; node: string }
  /** Sessions as they are now, and those that ended; all of one shard. Answer json `{}`. */
  | { kind: "report"; node: string; shard: number; now: SessionReport[]; ended: SessionEnd[] }
  /** Does the directory hold what this node has told? Answer json `{same: boolean}`. */
  | { kind: "compare"; node: string; shard: number; count: number; sum: number }
  /** All the node's sessions of the shard: others end. Answer json: the sessions to be reported anew. */
  | { kind: "match"; node: string; shard: number; sessions: [session: string, hash: number][] }
  /** Answer json `{sessions}`: how many are in the room. */
  | { kind: "count"; room: string }
  /** Answer json: ActivePage. */
  | { kind: "active"; room: string | null; next: string | null; limit: number };

export interface ActivePage {
  users: PresentUser[];
  total: number;
  next: string | null;
}

/** One user's change, for all gateways. */
export interface PresenceChange {
  user: PresentUser;
  /** Null: only the rooms changed. */
  change: "online" | "update" | "offline" | null;
  /** Rooms that the user listens to, or did until now. */
  rooms: string[];
  /** Those of them just entered: to them the user is new. */
  entered: string[];
}

/** On `subjects.presence()`, gathered over 250 ms at most. */
export interface PresenceNews {
  changes: PresenceChange[];
  /** How many are online. */
  total: number;
}
