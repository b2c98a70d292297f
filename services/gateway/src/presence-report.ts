/**
 * Tells the presence workers which sessions are here, as they are now: what changed leaves at the end of the turn, one report
 * of a shard at a time, and stays to be said until it was taken. Counts and checksums are compared now and then, so that
 * whatever went wrong (a report lost, Redis empty) is made good.
 */
import {
  hashText,
  type JsonAnswer,
  type PresenceRequest,
  presenceShards,
  type Requester,
  type SessionEnd,
  type SessionReport,
  shardOf,
  Unanswered,
  type Workers,
} from "@parley/bus";
import { Unavailable } from "@parley/protocol";
import type { Session } from "./session.ts";

export interface PresenceReportOptions {
  presence: Requester<PresenceRequest, JsonAnswer>;
  node: string;
  workers: Workers;
  /** Presence can't be kept for the moment, or can again: then what was known of it may be out of date. */
  onFrozen: (frozen: boolean) => void;
}

export interface PresenceReport {
  /** A session came, or something about it is another. */
  changed(session: Session): void;
  ended(session: Session, atOnce: boolean): void;
  /** Resolves once the directory knows the session as it is; rejects with Unavailable, quickly, when it can't. */
  settled(session: Session): Promise<void>;
  frozen(): boolean;
  /** Sessions whose present state was not taken yet. */
  pending(): number;
  close(): void;
}

export class PresenceUnavailable extends Unavailable {
  override name = "PresenceUnavailable";
  override readonly told = "Presence is frozen for the moment: try again in a few seconds";
}

interface Lane {
  shard: number;
  /** To be reported. */
  changed: Map<string, Session>;
  ended: Map<string, SessionEnd>;
  /** Ends that were taken, by when: should Redis lose its data, nobody else would know of those not told yet. */
  lately: Map<string, { end: SessionEnd; atMs: number }>;
  /** What the directory took: session → hash, and the sum of these. */
  held: Map<string, number>;
  sum: number;
  busy: boolean;
  scheduled: boolean;
  waiting: { session: Session; resolve: () => void; reject: (error: unknown) => void }[];
}

const leaseEveryMs = 2_000;
const retryMs = 500;
const compareEveryMs = 5_000;
const perReport = 200;
/** Longer than a grace and its telling. */
const latelyMs = 20_000;
/** How long a client waits for presence at most. */
const settleMs = 1_500;

export function createPresenceReport({ presence, node, workers, onFrozen }: PresenceReportOptions): PresenceReport {
  const lanes = Array.from(
    { length: presenceShards },
    (_, shard): Lane => ({
      shard,
      changed: new Map(),
      ended: new Map(),
      lately: new Map(),
      held: new Map(),
      sum: 0,
      busy: false,
      scheduled: false,
      waiting: [],
    }),
  );
  const laneOf = (session: Session) => lanes[shardOf(session.user?.id ?? "")] as Lane;
  let frozen = false;
  let closed = false;

  const ask = (shard: number, request: PresenceRequest) =>
    new Promise<unknown>((resolve, reject) => {
      if (workers.owners()[shard] === null) return reject(new PresenceUnavailable("No presence worker lives"));
      presence.ask(shard, request, (answer) => {
        if (answer instanceof Unanswered) reject(new PresenceUnavailable(answer.message));
        else if (answer.kind === "refused") reject(new PresenceUnavailable(answer.error));
        else resolve(JSON.parse(answer.json));
      });
    });

  const setFrozen = (now: boolean) => {
    if (closed || frozen === now) return;
    frozen = now;
    onFrozen(now);
    if (!now) for (const lane of lanes) void compare(lane);
  };

  const setHeld = (lane: Lane, session: string, hash: number | null) => {
    lane.sum -= lane.held.get(session) ?? 0;
    if (hash === null) lane.held.delete(session);
    else {
      lane.held.set(session, hash);
      lane.sum += hash;
    }
  };

  const schedule = (lane: Lane) => {
    if (lane.busy || lane.scheduled || closed) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      void send(lane);
    });
  };

  const send = async (lane: Lane) => {
    if (lane.busy || closed) return;
    const now: SessionReport[] = [];
    for (const [id, session] of lane.changed) {
      if (now.length >= perReport) break;
      lane.changed.delete(id);
      const report = reportOf(session);
      if (lane.held.get(id) !== report.hash) now.push(report);
    }
    const ended = [...lane.ended.values()].slice(0, perReport);
    for (const { session } of ended) lane.ended.delete(session);
    if (now.length + ended.length === 0) return settle(lane);
    lane.busy = true;
    try {
      await ask(lane.shard, { kind: "report", node, shard: lane.shard, now, ended });
      for (const { session, hash } of now) setHeld(lane, session, hash);
      for (const end of ended) {
        setHeld(lane, end.session, null);
        lane.lately.set(end.session, { end, atMs: performance.now() });
      }
      lane.busy = false;
      settle(lane);
      if (lane.changed.size + lane.ended.size > 0) schedule(lane);
    } catch (error) {
      // Said again, unless something newer is to be said of them.
      for (const end of ended) if (!lane.ended.has(end.session)) lane.ended.set(end.session, end);
      for (const { session } of now) again(lane, session);
      const { waiting } = lane;
      lane.waiting = [];
      for (const { reject } of waiting) reject(error);
      setTimeout(() => {
        lane.busy = false;
        schedule(lane);
      }, retryMs);
    }
  };

  /** Sessions by id, for those that must be reported anew. */
  const present = new Map<string, Session>();
  const again = (lane: Lane, id: string) => {
    const session = present.get(id);
    if (!session) return;
    // It may be that the report was taken and only its answer lost.
    setHeld(lane, id, null);
    lane.changed.set(id, session);
  };

  const settle = (lane: Lane) => {
    if (lane.waiting.length === 0) return;
    const done = lane.waiting.filter(({ session }) => !lane.changed.has(session.id));
    lane.waiting = lane.waiting.filter(({ session }) => lane.changed.has(session.id));
    for (const { resolve } of done) resolve();
  };

  const compare = async (lane: Lane) => {
    if (lane.busy || lane.changed.size + lane.ended.size > 0 || closed) return;
    lane.busy = true;
    try {
      const { shard, sum } = lane;
      const { same } = (await ask(shard, { kind: "compare", node, shard, count: lane.held.size, sum })) as {
        same: boolean;
      };
      if (!same) {
        const missing = (await ask(shard, { kind: "match", node, shard, sessions: [...lane.held] })) as string[];
        for (const id of missing) {
          if (present.has(id)) again(lane, id);
          else setHeld(lane, id, null);
        }
      }
    } catch {
      // The next round compares again.
    } finally {
      lane.busy = false;
      schedule(lane);
    }
  };

  /** Redis is empty: all that is here, and who left lately, is new to it. */
  const sayAgain = () => {
    for (const lane of lanes) {
      for (const [id, { end }] of lane.lately) if (!lane.ended.has(id)) lane.ended.set(id, end);
      for (const id of [...lane.held.keys()]) again(lane, id);
      schedule(lane);
    }
    onFrozen(false);
  };

  const forgetEnds = () => {
    const oldestMs = performance.now() - latelyMs;
    for (const { lately } of lanes)
      for (const [id, { atMs }] of lately) {
        if (atMs > oldestMs) break;
        lately.delete(id);
      }
  };

  let renewing = false;
  let memory: string | null = null;
  const renewLease = async () => {
    if (renewing) return;
    renewing = true;
    try {
      const lease = (await ask(shardOf(node), { kind: "lease", node })) as { memory: string };
      const lost = memory !== null && memory !== lease.memory;
      memory = lease.memory;
      setFrozen(false);
      if (lost) sayAgain();
      else forgetEnds();
    } catch {
      setFrozen(true);
    } finally {
      renewing = false;
    }
  };
  void renewLease();
  workers.onChange(() => frozen && void renewLease());
  let nextToCompare = 0;
  const timers = [
    setInterval(renewLease, leaseEveryMs),
    // Who waits for it to go on should not wait long.
    setInterval(() => frozen && void renewLease(), 500),
    setInterval(() => {
      if (!frozen) void compare(lanes[nextToCompare++ % lanes.length] as Lane);
    }, compareEveryMs / presenceShards),
  ];

  const changed = (session: Session) => {
    present.set(session.id, session);
    const lane = laneOf(session);
    lane.changed.set(session.id, session);
    schedule(lane);
  };

  return {
    changed,
    ended(session, atOnce) {
      if (!session.user || !present.delete(session.id)) return;
      const lane = laneOf(session);
      lane.changed.delete(session.id);
      const { id, name, guest } = session.user;
      lane.ended.set(session.id, { session: session.id, user: { id, name, guest }, atOnce });
      schedule(lane);
    },
    settled(session) {
      if (frozen) return Promise.reject(new PresenceUnavailable("Presence is frozen"));
      const lane = laneOf(session);
      return new Promise((resolve, reject) => {
        const late = setTimeout(reject, settleMs, new PresenceUnavailable("Presence did not answer in time"));
        lane.waiting.push({
          session,
          resolve: () => {
            clearTimeout(late);
            resolve();
          },
          reject: (error) => {
            clearTimeout(late);
            reject(error);
          },
        });
        schedule(lane);
      });
    },
    frozen: () => frozen,
    pending: () => lanes.reduce((sum, { changed: some, ended }) => sum + some.size + ended.size, 0),
    close() {
      closed = true;
      for (const timer of timers) clearInterval(timer);
    },
  };
}

function reportOf(session: Session): SessionReport {
  const { id, name, guest } = session.user as NonNullable<Session["user"]>;
  const state = {
    session: session.id,
    user: { id, name, guest },
    idle: session.idle,
    rooms: [...new Set([...session.rooms.keys(), ...session.entering])],
    choice: session.choice,
  };
  return { ...state, hash: hashText(JSON.stringify(state)) };
}
