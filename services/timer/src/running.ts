/**
 * The running timers of this worker's partitions: held in memory and ticked, each by its end on the monotonic clock. What is
 * held is never the truth: the store is, and it is read again on every sign that something changed, and in turn anyway.
 */
import { partitionCount, partitionOf } from "@parley/bus";
import { createTally, type Logger, type Tally } from "@parley/service-kit";
import type { Store } from "@parley/store";
import type { Clock } from "./clock.ts";
import { secondsShown } from "./countdown.ts";
import { type Face, faceOf, type Tell } from "./tell.ts";
import { createTicker } from "./ticker.ts";
import { type Timer, timerOf } from "./timer-record.ts";
import type { Timers } from "./timers.ts";

interface Held {
  timer: Timer;
  face: Face;
  /** Its end by the monotonic clock. */
  endsAtMs: number;
  /** Seconds that were last shown. */
  shown: number;
  ending: boolean;
}

export interface RunningOptions {
  store: Store;
  clock: Clock;
  tell: Tell;
  timers: () => Timers;
  owns: (partition: number) => boolean;
  logger: Logger;
}

export interface Running {
  lateness: Tally;
  counts: { ticks: number; standstills: number; clockSteps: number };
  size(): number;
  /** How many partitions' timers are held here. */
  loaded(): number;
  /** The newest known of a timer: held, let go, or neither. */
  adopt(timer: Timer): void;
  /** A running timer held here, and what remains of it. */
  get(room: string): { timer: Timer; remainingMs: number } | null;
  nowFor(timer: Timer): number;
  /** Partitions may have changed hands. */
  ownersChanged(): void;
  /** Somebody else changed the room's timer, or the room. */
  reread(room: string): Promise<void>;
  /** Compares some of the partitions with the store, all of them within `resyncRounds` calls; sees a clock that was set. */
  check(): Promise<void>;
  turn(): void;
  stop(): void;
}

/** What ended longer ago than this was told, or is too old to be news. */
const recentMs = 60_000;
const retryMs = 500;
const resyncRounds = 16;
/** A clock that is set jumps; one that is corrected creeps. */
const clockStepMs = 250;
const latenessBoundsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function createRunning(options: RunningOptions): Running {
  const { store, clock, tell, owns, logger } = options;
  const byRoom = new Map<string, Held>();
  const lateness = createTally(latenessBoundsSeconds);
  const counts = { ticks: 0, standstills: 0, clockSteps: 0 };
  /** Partitions whose timers were read from the store since they came here. */
  let loaded = new Set<number>();
  let loading = false;
  let round = 0;
  let clockOffsetMs = clock.wallMs() - clock.monotonicMs();
  let stopped = false;

  const remaining = (held: Held) => held.endsAtMs - clock.monotonicMs();

  const drop = (held: Held) => {
    ticker.delete(held);
    if (byRoom.get(held.timer.room) === held) byRoom.delete(held.timer.room);
  };

  const tick = (held: Held) => {
    if (!owns(partitionOf(held.timer.room))) return drop(held);
    const remainingMs = remaining(held);
    if (remainingMs <= 0) return void end(held);
    const seconds = secondsShown(remainingMs);
    if (seconds >= held.shown) return;
    show(held, seconds * 1_000);
    lateness.add(seconds * 1_000 - remainingMs);
  };

  const show = (held: Held, remainingMs: number) => {
    held.shown = secondsShown(remainingMs);
    counts.ticks++;
    tell.tick(held.face, remainingMs);
  };

  /** Tried again at each of its seconds until the store takes it. */
  const end = async (held: Held) => {
    if (held.ending) return;
    held.ending = true;
    if (held.shown > 0) lateness.add(-remaining(held));
    held.shown = 0;
    try {
      if (!(await options.timers().end(held.timer))) await reread(held.timer.room);
    } catch (error) {
      logger.warn({ err: error }, "a timer's end could not be stored; the next second tries again");
    } finally {
      held.ending = false;
    }
  };

  const ticker = createTicker<Held>({
    clock,
    tick,
    stoodStill: (ms) => {
      logger.warn({ ms }, "this process stood still: its timers are read anew");
      counts.standstills++;
      forgetAll();
      void load();
    },
  });

  /** Others may have taken over: nothing that is held counts any more. */
  const forgetAll = () => {
    for (const held of [...byRoom.values()]) drop(held);
    loaded = new Set();
  };

  const adopt = (timer: Timer) => {
    const held = byRoom.get(timer.room);
    const same = held?.timer.key === timer.key;
    if (held && same && held.timer.version >= timer.version) return;
    const runs = timer.state === "running" && timer.endsAtMs !== null && owns(partitionOf(timer.room));
    if (held) drop(held);
    if (!runs || stopped) return;
    const endsAtMs =
      held && same && held.timer.endsAtMs === timer.endsAtMs
        ? held.endsAtMs
        : clock.monotonicMs() + (timer.endsAtMs as number) - clock.wallMs();
    const next: Held = { timer, face: faceOf(timer), endsAtMs, shown: Infinity, ending: false };
    next.shown = secondsShown(remaining(next));
    byRoom.set(timer.room, next);
    ticker.add(next, endsAtMs);
    if (remaining(next) <= 0) void end(next);
  };

  /** A timer that another worker looked after until now. */
  const takeOver = async (timer: Timer) => {
    if (timer.endedAtMs !== null && timer.endedAtMs >= clock.wallMs() - recentMs) options.timers().tellEnd(timer);
    adopt(timer);
    const held = byRoom.get(timer.room);
    if (held && remaining(held) > 0) show(held, remaining(held));
    await options.timers().goOn(timer);
  };

  const active = async (partitions: number[]) =>
    (await store.timers.active(partitions, clock.wallMs() - recentMs)).map(timerOf);

  /** Reads the partitions that came here and were not read yet. */
  const load = async (): Promise<void> => {
    if (loading || stopped) return;
    loading = true;
    try {
      for (;;) {
        const fresh = Array.from({ length: partitionCount }, (_, partition) => partition).filter(
          (partition) => owns(partition) && !loaded.has(partition),
        );
        if (fresh.length === 0) break;
        const into = loaded;
        for (const partition of fresh) into.add(partition);
        try {
          await Promise.all((await active(fresh)).map(takeOver));
        } catch (error) {
          for (const partition of fresh) into.delete(partition);
          throw error;
        }
      }
    } catch (error) {
      logger.warn({ err: error }, "timers could not be read; trying again");
      setTimeout(load, retryMs).unref();
    } finally {
      loading = false;
    }
  };

  const reread = async (room: string) => {
    const before = byRoom.get(room);
    if (!before && !owns(partitionOf(room))) return;
    const [record] = await store.timers.find([room]);
    if (record) adopt(timerOf(record));
    else if (before && byRoom.get(room) === before) drop(before);
  };

  /** Finds what was missed: changes of others, and timers that are gone. */
  const resync = async () => {
    const mine = [...loaded].filter((partition) => partition % resyncRounds === round && owns(partition));
    round = (round + 1) % resyncRounds;
    if (mine.length === 0) return;
    const inMine = new Set(mine);
    const before = [...byRoom.values()].filter(({ timer }) => inMine.has(partitionOf(timer.room)));
    const timers = await active(mine);
    const runs = new Set(timers.filter(({ state }) => state === "running").map(({ room }) => room));
    for (const held of before)
      if (!runs.has(held.timer.room) && byRoom.get(held.timer.room) === held && !held.ending) drop(held);
    for (const timer of timers) {
      adopt(timer);
      await options.timers().goOn(timer);
    }
  };

  /** After the machine's clock was set, the stored ends are wrong by as much: they are moved, and nothing else happens. */
  const followClock = async () => {
    const offsetMs = clock.wallMs() - clock.monotonicMs();
    const stepMs = offsetMs - clockOffsetMs;
    clockOffsetMs = offsetMs;
    if (Math.abs(stepMs) < clockStepMs) return;
    counts.clockSteps++;
    logger.warn({ stepMs: Math.round(stepMs) }, "the clock was set: running timers keep what remains");
    const all = [...byRoom.values()];
    await Promise.all(all.map(({ timer, endsAtMs }) => options.timers().move(timer, Math.round(endsAtMs + offsetMs))));
  };

  return {
    lateness,
    counts,
    size: () => byRoom.size,
    loaded: () => loaded.size,
    adopt,
    reread,
    turn: ticker.turn,
    get(room) {
      const held = byRoom.get(room);
      return held && owns(partitionOf(room)) ? { timer: held.timer, remainingMs: Math.max(0, remaining(held)) } : null;
    },
    nowFor(timer) {
      const held = byRoom.get(timer.room);
      const here = held && held.timer.key === timer.key && held.timer.version === timer.version;
      return here && timer.endsAtMs !== null ? timer.endsAtMs - remaining(held) : clock.wallMs();
    },
    ownersChanged() {
      for (const partition of [...loaded]) if (!owns(partition)) loaded.delete(partition);
      for (const held of [...byRoom.values()]) if (!owns(partitionOf(held.timer.room))) drop(held);
      void load();
    },
    async check() {
      await followClock();
      await resync();
    },
    stop() {
      stopped = true;
      ticker.stop();
      forgetAll();
    },
  };
}
