import { formatDuration, type TimerControl, type TimerData, type TimerFrame, type TimerView } from "@parley/protocol";
import type { Connection } from "./connection.ts";
import { createEmitter, createStore, type Store, type Unsubscribe } from "./emitter.ts";
import { ParleyError } from "./errors.ts";
import { createServerClock } from "./server-clock.ts";

export interface TimerSnapshot {
  /** As the server told it last; null while nothing is known, or the room has none yet. */
  timer: TimerView | null;
  /** What it shows now, `HH:mm:ss`: counted here between the server's ticks, and right when one is lost. */
  time: string;
  /** The same in whole seconds. */
  seconds: number;
  /** Whether this user gets a notification at each end; null until a call answered it. */
  notify: boolean | null;
}

export interface TimerEvents {
  /** It ended by itself: once for each end. */
  finished: TimerView;
}

/** `HH:mm:ss`, or whole seconds. */
export type TimerDuration = string | number;

export interface TimerSettings {
  duration?: TimerDuration;
  /** `false`: one phase; `true`: the usual cycle. */
  cycle?: boolean | { shortBreak?: TimerDuration; longBreak?: TimerDuration; rounds?: number; auto?: boolean };
  control?: TimerControl;
  notify?: boolean;
}

/** The shared timer of a room one is in. What is refused rejects with ParleyError (`timer_already_started`, …). */
export interface RoomTimer extends Store<TimerSnapshot> {
  on<Name extends keyof TimerEvents>(event: Name, listener: (value: TimerEvents[Name]) => void): Unsubscribe;
  start(duration?: TimerDuration): Promise<TimerView>;
  stop(): Promise<TimerView>;
  reset(duration?: TimerDuration): Promise<TimerView>;
  set(settings: TimerSettings): Promise<TimerView>;
  /** Asks the server for the timer, also where nobody has touched it yet. */
  load(): Promise<TimerView>;
  /** Milliseconds that remain now. */
  remainingMs(): number;
}

/** What the client needs of a timer beside its public face. */
export interface TimerCore {
  timer: RoomTimer;
  heard(frame: TimerFrame): void;
  finished(view: TimerView): void;
  /** What is known is of another room of this name. */
  forget(): void;
}

/** Ticks come each second; after this long without one, something else is true that was not heard. */
const unheardMs = 3_500;
/** A little behind the second, so that the next one is surely there. */
const behindMs = 5;

export function createTimer(room: string, connection: Connection): TimerCore {
  const events = createEmitter<TimerEvents>();
  const clock = createServerClock();
  let view: TimerView | null = null;
  let notify: boolean | null = null;
  /** Seconds shown of this version: they only fall. */
  let shown = Infinity;
  let lastEnd = 0;
  let heardAtMs = 0;
  let wake: ReturnType<typeof setTimeout> | undefined;

  const remainingMs = (): number => {
    if (!view) return 0;
    const nowMs = view.endsAt === null ? null : clock.nowMs();
    return nowMs === null ? view.remainingMs : Math.max(0, Date.parse(view.endsAt as string) - nowMs);
  };
  const secondsNow = () => Math.min(shown, Math.ceil(remainingMs() / 1_000));

  const store = createStore<TimerSnapshot>(() => {
    const seconds = view ? secondsNow() : 0;
    return { timer: view, time: formatDuration(seconds * 1_000), seconds, notify };
  });

  /** Counts on its own: wakes at the next second. */
  const count = () => {
    clearTimeout(wake);
    const seconds = secondsNow();
    if (seconds !== shown) {
      shown = seconds;
      store.changed();
    }
    if (view?.state !== "running") return;
    if (performance.now() - heardAtMs > unheardMs && connection.isOnline()) {
      heardAtMs = performance.now();
      load().catch(() => {});
    }
    wake = setTimeout(count, seconds === 0 ? 1_000 : Math.max(1, remainingMs() - (seconds - 1) * 1_000) + behindMs);
    // Node's timers keep a process alive; this one is no reason to.
    (wake as { unref?: () => void }).unref?.();
  };

  const heard = (next: TimerView) => {
    if (view && next.version < view.version) return;
    const changed = next.version !== view?.version;
    if (changed) {
      clock.forget();
      shown = Infinity;
    }
    heardAtMs = performance.now();
    if (next.endsAt !== null) clock.heard(Date.parse(next.endsAt) - next.remainingMs);
    const ended = view?.state === "running" && next.state === "finished";
    view = next;
    if (ended) finished(next);
    if (changed) store.changed();
    count();
  };

  const finished = (timer: TimerView) => {
    if (timer.version <= lastEnd) return;
    lastEnd = timer.version;
    events.emit("finished", timer);
  };

  const ask = async (event: string, fields: object = {}): Promise<TimerView> => {
    const era = connection.era();
    try {
      const data = await connection.call<TimerData>(event, { room, ...fields });
      notify = data.notify;
      heard(data.timer);
      store.changed();
      return data.timer;
    } catch (error) {
      // Asked again after a reconnection: it may have been this very client that did it.
      const { code } = error as ParleyError;
      const done = code === "timer_already_started" || code === "timer_already_stopped";
      if (!(error instanceof ParleyError) || !done || connection.era() === era) throw error;
      return load();
    }
  };
  const load = () => ask("GetTimer");

  return {
    timer: {
      on: events.on,
      subscribe: store.subscribe,
      snapshot: store.snapshot,
      start: (duration) => ask("StartTimer", { duration }),
      stop: () => ask("StopTimer"),
      reset: (duration) => ask("ResetTimer", { duration }),
      set: (settings) => ask("SetTimer", settings),
      load,
      remainingMs,
    },
    heard: ({ timer }) => heard(timer),
    finished,
    forget() {
      if (!view) return;
      clearTimeout(wake);
      view = null;
      lastEnd = 0;
      clock.forget();
      store.changed();
      // The frame that tells of the new one may have come already.
      load().catch(() => {});
    },
  };
}
