/**
 * Ticks each item once a second, on the item's own second: so that its last tick falls on its end. Each has a place on a wheel
 * that turns once a second and keeps it, so ten thousand of them cost no more than being called.
 */
import type { Clock } from "./clock.ts";

export interface Ticker<Item> {
  /** `endsAtMs`: the item's end by the monotonic clock. Adding it again moves it. */
  add(item: Item, endsAtMs: number): void;
  delete(item: Item): void;
  size(): number;
  /** Calls those whose moment has come. The ticker does it by itself; tests that own the clock do it by hand. */
  turn(): void;
  stop(): void;
}

export interface TickerOptions<Item> {
  clock: Pick<Clock, "monotonicMs">;
  tick: (item: Item) => void;
  /** Called instead of ticks when this process stood still for so long that others may have taken over. */
  stoodStill: (ms: number) => void;
}

const slotMs = 5;
const slotCount = 1_000 / slotMs;
export const standstillMs = 1_500;

const modulo = (n: number, by: number): number => ((n % by) + by) % by;

export function createTicker<Item>({ clock, tick, stoodStill }: TickerOptions<Item>): Ticker<Item> {
  const slots = Array.from({ length: slotCount }, () => new Set<Item>());
  const slotOf = new Map<Item, Set<Item>>();
  /** The last slot served, counted from the clock's zero. */
  let served = Math.floor(clock.monotonicMs() / slotMs);
  let timeout: NodeJS.Timeout | undefined;
  let wakesAtSlot = Infinity;
  let stopped = false;

  const slotAt = (n: number) => slots[n % slotCount] as Set<Item>;

  const wakeAt = (slot: number) => {
    if (slot >= wakesAtSlot || stopped) return;
    clearTimeout(timeout);
    wakesAtSlot = slot;
    timeout = setTimeout(turn, Math.max(1, slot * slotMs - clock.monotonicMs()));
  };

  /** Sleeps until the next slot that holds anything. */
  const sleep = () => {
    if (slotOf.size === 0) return;
    for (let slot = served + 1; slot <= served + slotCount; slot++) if (slotAt(slot).size > 0) return wakeAt(slot);
  };

  const turn = () => {
    const now = Math.floor(clock.monotonicMs() / slotMs);
    const lateMs = (now - Math.min(wakesAtSlot, now)) * slotMs;
    clearTimeout(timeout);
    wakesAtSlot = Infinity;
    if (lateMs > standstillMs) {
      served = now;
      stoodStill(lateMs);
    } else {
      const first = Math.max(served + 1, now - slotCount + 1);
      served = now;
      // A copy: a tick may take items off the wheel, or put them elsewhere on it.
      for (let slot = first; slot <= now; slot++) for (const item of [...slotAt(slot)]) tick(item);
    }
    sleep();
  };

  const remove = (item: Item) => {
    slotOf.get(item)?.delete(item);
    slotOf.delete(item);
  };

  return {
    add(item, endsAtMs) {
      remove(item);
      // Not before its moment: rounded up. Only its place within a second matters, which is the same for all its seconds.
      const end = Math.ceil(endsAtMs / slotMs);
      if (slotOf.size === 0) served = Math.floor(clock.monotonicMs() / slotMs);
      const next = served + 1 + modulo(end - served - 1, slotCount);
      const set = slotAt(next);
      set.add(item);
      slotOf.set(item, set);
      wakeAt(next);
    },
    delete: remove,
    size: () => slotOf.size,
    turn,
    stop() {
      stopped = true;
      clearTimeout(timeout);
    },
  };
}
