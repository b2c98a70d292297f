/**
 * What is asked of one timer at once, carried out in order: pure. A gateway that got no answer asks again, perhaps another
 * worker, and the earlier copy may be read at any time after. So the timer keeps what was carried out; and of what was asked
 * again and refused, that it was: else a late copy would start a timer for somebody who was told that it did not.
 */
import { hash } from "node:crypto";
import { Refusal } from "@parley/protocol";
import { noted, type Timer } from "./timer-record.ts";

export interface Change {
  /** Unique for the event of a client, in all its copies; null for what comes in one copy only. */
  ask: string | null;
  /** Whether another copy of it may be under way. */
  repeated: boolean;
  /** The timer as it is after it. Throws a Refusal. */
  apply: (timer: Timer, nowMs: number) => Timer;
}

/** As many as may happen to a timer between two copies of an event without the later one being taken for new. */
export const maxKept = 128;

/** Short, as a timer keeps many: 48 bits. */
const idOf = (ask: string): string => hash("sha256", ask, "base64url").slice(0, 8);

const kept = <T>(items: T[], item: T): T[] => [...items, item].slice(-maxKept);

export interface CarriedOut {
  /** As it is to be stored. */
  timer: Timer;
  /** What it was on the way, for the room to be shown: one for each that changed it. */
  steps: Timer[];
  /** For each of the changes the timer after it, or what was thrown. */
  outcomes: (Timer | Error)[];
}

export function carryOut(before: Timer, changes: readonly Change[], nowMs: number): CarriedOut {
  let timer = before;
  const steps: Timer[] = [];
  const outcomes = changes.map(({ ask, repeated, apply }): Timer | Error => {
    const id = ask === null ? null : idOf(ask);
    if (id !== null && timer.asks.includes(id)) return timer;
    const refused = timer.refusals.find((refusal) => refusal.ask === id);
    if (refused) return new Refusal(refused.code, refused.error);
    try {
      const next = apply(timer, nowMs);
      timer = id === null ? next : { ...next, asks: kept(next.asks, id) };
      steps.push(timer);
      return timer;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (id !== null && repeated && error instanceof Refusal)
        timer = noted(timer, kept(timer.refusals, { ask: id, code: error.code, error: error.message }));
      return error;
    }
  });
  return { timer, steps, outcomes };
}
