/** Hands an end over to whoever notifies people: asked until it is taken, and never in the way of anything. */
import { type Bus, subjects, type TimerFinished } from "@parley/bus";
import type { Logger } from "@parley/service-kit";
import type { Store } from "@parley/store";
import type { Timer } from "./timer-record.ts";

const answerWithinMs = 2_000;
const retryMs = 5_000;
const giveUpAfterMs = 10 * 60_000;

export function createNotifyEnded({ bus, store, logger }: { bus: Bus; store: Store; logger: Logger }) {
  const waiting = new Set<NodeJS.Timeout>();
  let stopped = false;

  const attempt = async (timer: Timer, untilMs: number): Promise<void> => {
    try {
      const members = await Promise.all(timer.notify.map((user) => store.rooms.member(timer.key, user)));
      const users = timer.notify.filter((_, i) => members[i]?.member && !members[i].banned);
      if (users.length === 0) return;
      const { room, key, version, phase, round } = timer;
      const atMs = timer.ending?.dueAtMs ?? timer.endedAtMs ?? 0;
      const finished: TimerFinished = { room, key, version, users, phase, round, atMs };
      await bus.nc.request(subjects.timerFinished(), JSON.stringify(finished), { timeout: answerWithinMs });
    } catch (error) {
      if (stopped) return;
      if (performance.now() > untilMs)
        return void logger.warn({ err: error, room: timer.room }, "nobody took a timer's notifications");
      const timeout = setTimeout(() => {
        waiting.delete(timeout);
        void attempt(timer, untilMs);
      }, retryMs);
      waiting.add(timeout);
    }
  };

  return {
    ended: (timer: Timer): void => void attempt(timer, performance.now() + giveUpAfterMs),
    stop() {
      stopped = true;
      for (const timeout of waiting) clearTimeout(timeout);
    },
  };
}
