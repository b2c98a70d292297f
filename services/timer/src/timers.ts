/**
 * Changes to timers, each a compare-and-set on the version in the store: of several at once one happens, whoever makes it. What
 * waits for one timer here is carried out together, with one reading and one writing, however many press at once.
 */
import { Refusal } from "@parley/protocol";
import type { RoomRecord, Store } from "@parley/store";
import { type Change, carryOut } from "./carry-out.ts";
import { endAt, finish, follow, lastEnd, remainingAt } from "./countdown.ts";
import { faceOf, type Tell } from "./tell.ts";
import { newTimer, recordOf, type Timer, timerOf } from "./timer-record.ts";

type Room = Pick<RoomRecord, "name" | "key">;

export interface TimersOptions {
  store: Store;
  tell: Tell;
  /** The time by which this timer runs: where a running one is held, that of its own clock. */
  nowFor: (timer: Timer) => number;
  /** Somebody is to be notified of this end. */
  ended: (timer: Timer) => void;
  /** What a timer has become. */
  adopt: (timer: Timer) => void;
}

export interface Timers {
  counts: { changes: number; conflicts: number; finished: number };
  /** The room's timer as stored; a new one where it has none. */
  read(room: Room): Promise<Timer>;
  /** Carries the change out once, however often asked, on the timer as it is then; answers the timer after it. */
  change(room: Room, change: Change): Promise<Timer>;
  /** Notes that a running timer came to its end, and begins what follows. Answers false when it changed meanwhile. */
  end(timer: Timer): Promise<boolean>;
  /** Begins what follows by itself on a finished timer, if anything does. */
  goOn(timer: Timer): Promise<void>;
  /** Gives a running timer another end, if it is still at this version. */
  move(timer: Timer, endsAtMs: number): Promise<void>;
  /** Tells an end again that may not have been told. */
  tellEnd(timer: Timer): void;
}

interface Asked {
  change: Change;
  done: (timer: Timer) => void;
  fail: (error: unknown) => void;
}

/** Each refused compare-and-set means that somebody else's succeeded; this many in a row mean a fault. */
const maxAttempts = 100;

export function createTimers({ store, tell, nowFor, ended, adopt }: TimersOptions): Timers {
  const counts = { changes: 0, conflicts: 0, finished: 0 };
  /** By the room's key, what waits for its timer. */
  const waiting = new Map<number, Asked[]>();

  const put = async (timer: Timer, before?: number): Promise<boolean> => {
    const done = await store.timers.put(recordOf(timer), before);
    counts[done ? "changes" : "conflicts"]++;
    return done;
  };

  const read: Timers["read"] = async (room) => {
    const [record] = await store.timers.find([room.name]);
    return record?.key === room.key ? timerOf(record) : newTimer(room);
  };

  /** Stored: now it is told, with what it was on the way, and ticks. */
  const became = (timer: Timer, steps = [timer]) => {
    adopt(timer);
    const nowMs = nowFor(timer);
    for (const step of steps) tell.frame(faceOf(step), remainingAt(step, nowMs));
    tell.changed(timer.room);
  };

  const tellEnd = (timer: Timer) => {
    const end = lastEnd(timer);
    if (!end) return;
    tell.finished(end);
    if (end.notify.length > 0) ended(end);
  };

  const goOn = async (timer: Timer) => {
    const next = follow(timer, nowFor(timer));
    if (next && (await put(next))) became(next);
  };

  const end = async (timer: Timer): Promise<boolean> => {
    const finished = finish(timer, nowFor(timer));
    if (!(await put(finished))) return false;
    counts.finished++;
    adopt(finished);
    tellEnd(finished);
    tell.changed(finished.room);
    await goOn(finished);
    return true;
  };

  /** Carries out what is asked of one timer. Answers for each the timer after it, or why not. */
  const together = async (room: Room, changes: Change[]): Promise<(Timer | Error)[]> => {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const before = await read(room);
      const nowMs = nowFor(before);
      if (before.state === "running" && remainingAt(before, nowMs) === 0) {
        await end(before);
        continue;
      }
      const { timer, steps, outcomes } = carryOut(before, changes, nowMs);
      if (timer.version === before.version) return outcomes;
      if (!(await put(timer, before.version))) continue;
      became(timer, steps);
      return outcomes;
    }
    throw new Refusal("unavailable", "This timer is changed all the time; try again");
  };

  const work = async (room: Room) => {
    const queue = waiting.get(room.key) ?? [];
    while (queue.length > 0) {
      const group = queue.splice(0);
      try {
        const outcomes = await together(
          room,
          group.map(({ change }) => change),
        );
        group.forEach(({ done, fail }, i) => {
          const outcome = outcomes[i];
          if (outcome instanceof Error) fail(outcome);
          else if (outcome) done(outcome);
        });
      } catch (error) {
        for (const { fail } of group) fail(error);
      }
    }
    waiting.delete(room.key);
  };

  return {
    counts,
    read,
    end,
    goOn,
    tellEnd,
    async move(timer, endsAtMs) {
      const moved = endAt(timer, endsAtMs);
      if (await put(moved)) became(moved);
    },
    change: (room, change) =>
      new Promise((done, fail) => {
        const asked = { change, done, fail };
        const queue = waiting.get(room.key);
        if (queue) queue.push(asked);
        else {
          waiting.set(room.key, [asked]);
          void work(room);
        }
      }),
  };
}
