/** Changes to timers, each a compare-and-set on the version in the store: of several at once one happens, whoever makes it. */
import { Refusal } from "@parley/protocol";
import type { RoomRecord, Store } from "@parley/store";
import { endAt, finish, follow, lastEnd, remainingAt } from "./countdown.ts";
import { faceOf, type Tell } from "./tell.ts";
import { newTimer, recordOf, type Timer, timerOf } from "./timer-record.ts";

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
  read(room: Pick<RoomRecord, "name" | "key">): Promise<Timer>;
  /** Applies `change` to the timer as it is then; what it throws is thrown. `ask`: carried out once, however often asked. */
  change(
    room: Pick<RoomRecord, "name" | "key">,
    ask: string | null,
    change: (timer: Timer, nowMs: number) => Timer,
  ): Promise<Timer>;
  /** Notes that a running timer came to its end, and begins what follows. Answers false when it changed meanwhile. */
  end(timer: Timer): Promise<boolean>;
  /** Begins what follows by itself on a finished timer, if anything does. */
  goOn(timer: Timer): Promise<void>;
  /** Gives a running timer another end, if it is still at this version. */
  move(timer: Timer, endsAtMs: number): Promise<void>;
  /** Tells an end again that may not have been told. */
  tellEnd(timer: Timer): void;
}

/** Each refused compare-and-set means that somebody else's succeeded; this many in a row mean a fault. */
const maxAttempts = 100;

export function createTimers({ store, tell, nowFor, ended, adopt }: TimersOptions): Timers {
  const counts = { changes: 0, conflicts: 0, finished: 0 };

  const put = async (timer: Timer): Promise<boolean> => {
    const done = await store.timers.put(recordOf(timer));
    counts[done ? "changes" : "conflicts"]++;
    return done;
  };

  const read: Timers["read"] = async (room) => {
    const [record] = await store.timers.find([room.name]);
    return record?.key === room.key ? timerOf(record) : newTimer(room);
  };

  /** Stored: now it is told, and ticks. */
  const became = (timer: Timer) => {
    adopt(timer);
    tell.frame(faceOf(timer), remainingAt(timer, nowFor(timer)));
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
    async change(room, ask, change) {
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        const timer = await read(room);
        if (ask !== null && timer.lastAsk === ask) return timer;
        const nowMs = nowFor(timer);
        if (timer.state === "running" && remainingAt(timer, nowMs) === 0) {
          await end(timer);
          continue;
        }
        const next = { ...change(timer, nowMs), lastAsk: ask };
        if (await put(next)) {
          became(next);
          return next;
        }
      }
      throw new Refusal("unavailable", "This timer is changed all the time; try again");
    },
  };
}
