/** Who is connected where, in Redis. Each call may reject with RedisUnavailable. */
import { presenceShards, type SessionEnd, type SessionReport, type StatusChoice, shardOf } from "@parley/bus";
import type { Status, User } from "@parley/protocol";
import { fromRedis, type RedisConnection } from "./connect-redis.ts";

export interface DirectoryOptions {
  connection: RedisConnection;
  /** How long somebody without a session still counts as here. */
  graceMs: number;
  /** How long a gateway counts as alive without a word. */
  leaseMs: number;
  now: () => number;
}

/** A user's change that was not told yet. */
export interface Untold {
  user: User;
  version: number;
  /** Empty: offline. */
  status: Status | "";
  text: string;
  /** The status told last; `?` when a worker died and nobody knows. */
  told: Status | "" | "?";
  devices: number;
  seenAtMs: number;
  rooms: string[];
  entered: string[];
  /** All but the rooms is as it was told. */
  same: boolean;
}

/** Somebody who is here, as far as Redis knows. */
export interface Present {
  user: User;
  status: Status;
  text: string;
  devices: number;
}

export interface StoredSession {
  session: string;
  node: string;
  idle: boolean;
  rooms: string[];
}

export interface Directory {
  put(node: string, report: SessionReport): Promise<boolean>;
  /** Both answer whether there is something to tell. */
  end(end: SessionEnd): Promise<boolean>;
  /** How many sessions of the node there are in the shard, and the sum of their hashes. */
  sumOf(node: string, shard: number): Promise<{ count: number; sum: number }>;
  /** All of the node's sessions in the shard. */
  sessionsOfNode(node: string, shard: number): Promise<{ session: string; hash: number; user: string }[]>;
  /** Ends sessions of which only the user's id is known, as when their node died. */
  endKnown(sessions: { session: string; user: string }[], atOnce: boolean): Promise<boolean>;
  renewLease(node: string): Promise<void>;
  hasLease(node: string): Promise<boolean>;
  nodesIn(shard: number): Promise<string[]>;
  /** Ends the graces that are over; answers how many changes of the shard wait to be told. */
  endGraces(shard: number): Promise<number>;
  untold(shard: number, limit: number): Promise<Untold[]>;
  markTold(shard: number, told: Untold[]): Promise<void>;
  /** How many are here (in the room), by shard. */
  counts(room: string | null): Promise<number[]>;
  /** Ids of those who are here (in the room), ascending, after `after`. */
  ids(room: string | null, shard: number, after: string, limit: number): Promise<string[]>;
  /** In the order asked for; null for who is not here. */
  present(ids: string[]): Promise<(Present | null)[]>;
  sessionsOf(user: string): Promise<StoredSession[]>;
  /** The node of each session of each user, in the order asked for. */
  nodesOf(users: string[]): Promise<string[][]>;
  countSessions(room: string | null): Promise<number>;
  /** A word that Redis keeps as long as it keeps its data: another one means that what was there is lost. */
  memory(): Promise<string>;
}

const everyShard = Array.from({ length: presenceShards }, (_, shard) => shard);
const prefixOf = (shard: number): string => `parley:{p${shard}}`;
const perScript = 200;
const perPipeline = 500;

export function createDirectory({ connection, graceMs, leaseMs, now }: DirectoryOptions): Directory {
  const { redis, run } = connection;
  const asked = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw fromRedis(error);
    }
  };
  const overall = "parley:presence";
  const leaseKey = (node: string) => `${overall}:lease:${node}`;
  const indexKey = (room: string | null, shard: number) => `${prefixOf(shard)}:${room === null ? "on" : `r:${room}`}`;

  const endOne = ({ id, name, guest }: User, session: string, grace: number) =>
    run("endSession", prefixOf(shardOf(id)), [id, name, guest ? 1 : 0, session, grace, now()]);

  return {
    async put(node, { session, user, idle, rooms, choice, hash }) {
      const state = JSON.stringify({ n: node, h: hash, i: idle ? 1 : 0, r: rooms });
      const { status, text, atMs }: StatusChoice = choice ?? { status: "online", text: "", atMs: 0 };
      const args = [user.id, user.name, user.guest ? 1 : 0, session, state, status, text, atMs, now()];
      return (await run("putSession", prefixOf(shardOf(user.id)), args)) === 1;
    },
    end: async ({ session, user, atOnce }) => (await endOne(user, session, atOnce ? 0 : graceMs)) === 1,
    async sumOf(node, shard) {
      const key = `${prefixOf(shard)}:nodes`;
      const [count, sum] = await asked(redis.hmget(key, `c:${node}`, `s:${node}`));
      return { count: Number(count ?? 0), sum: Number(sum ?? 0) };
    },
    async sessionsOfNode(node, shard) {
      const all = await asked(redis.hgetall(`${prefixOf(shard)}:n:${node}`));
      return Object.entries(all).map(([session, value]) => {
        const space = value.indexOf(" ");
        return { session, hash: Number(value.slice(0, space)), user: value.slice(space + 1) };
      });
    },
    async endKnown(sessions, atOnce) {
      let anything = false;
      for (let i = 0; i < sessions.length; i += perPipeline) {
        const ends = sessions
          .slice(i, i + perPipeline)
          .map(({ session, user }) => endOne({ id: user, name: "", guest: false }, session, atOnce ? 0 : graceMs));
        if ((await Promise.all(ends)).includes(1)) anything = true;
      }
      return anything;
    },
    renewLease: async (node) => void (await asked(redis.set(leaseKey(node), "1", "PX", leaseMs))),
    hasLease: async (node) => (await asked(redis.exists(leaseKey(node)))) === 1,
    async nodesIn(shard) {
      const fields = await asked(redis.hkeys(`${prefixOf(shard)}:nodes`));
      return fields.filter((field) => field.startsWith("c:")).map((field) => field.slice(2));
    },
    endGraces: async (shard) => Number(await run("endGraces", prefixOf(shard), [now(), perScript])),
    async untold(shard, limit) {
      const rows = (await run("untold", prefixOf(shard), [limit])) as string[];
      return rows.map((row) => {
        const [id, version, name, guest, status, text, told, devices, seenAtMs, rooms, entered, same] = JSON.parse(row);
        const user = { id, name, guest: guest === 1 };
        return { user, version, status, text, told, devices, seenAtMs, rooms, entered, same };
      });
    },
    async markTold(shard, told) {
      if (told.length === 0) return;
      const args = told.flatMap(({ user, version, status, rooms }) => [
        ...[user.id, version, status, user.name, user.guest ? 1 : 0, JSON.stringify(rooms)],
      ]);
      await run("told", prefixOf(shard), [now(), ...args]);
    },
    counts: (room) => asked(Promise.all(everyShard.map((shard) => redis.zcard(indexKey(room, shard))))),
    ids: (room, shard, after, limit) =>
      asked(redis.zrangebylex(indexKey(room, shard), after === "" ? "-" : `(${after}`, "+", "LIMIT", 0, limit)),
    async present(ids) {
      const rows = await asked(
        Promise.all(
          ids.map((id) => redis.hmget(`${prefixOf(shardOf(id))}:u:${id}`, "name", "guest", "now", "text", "n")),
        ),
      );
      return rows.map(([name, guest, status, text, devices], i) =>
        name && status
          ? {
              user: { id: ids[i] as string, name, guest: guest === "1" },
              status: status as Status,
              text: text ?? "",
              devices: Number(devices),
            }
          : null,
      );
    },
    async sessionsOf(user) {
      const all = await asked(redis.hgetall(`${prefixOf(shardOf(user))}:u:${user}`));
      return Object.entries(all)
        .filter(([field]) => field.startsWith("s:"))
        .map(([field, value]) => {
          const { n: node, i: idle, r: rooms } = JSON.parse(value) as { n: string; i: number; r: string[] };
          return { session: field.slice(2), node, idle: idle === 1, rooms };
        });
    },
    async nodesOf(users) {
      const byShard = Map.groupBy(users, shardOf);
      const nodes = new Map<string, string[]>();
      await Promise.all(
        [...byShard].map(async ([shard, ids]) => {
          const found = (await run("nodesOf", prefixOf(shard), ids)) as string[][];
          for (const [i, id] of ids.entries()) nodes.set(id, found[i] ?? []);
        }),
      );
      return users.map((user) => nodes.get(user) ?? []);
    },
    async countSessions(room) {
      const counts = everyShard.map(async (shard) => {
        if (room !== null) return Number(await redis.hget(`${prefixOf(shard)}:rc`, room));
        const all = await redis.hgetall(`${prefixOf(shard)}:nodes`);
        return Object.entries(all).reduce((sum, [field, n]) => sum + (field.startsWith("c:") ? Number(n) : 0), 0);
      });
      return (await asked(Promise.all(counts))).reduce((sum, count) => sum + count, 0);
    },
    async memory() {
      const key = `${overall}:memory`;
      await asked(redis.set(key, crypto.randomUUID(), "NX"));
      return (await asked(redis.get(key))) ?? "";
    },
  };
}
