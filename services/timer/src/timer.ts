/** The timer worker: takes batches from gateways, changes timers, and ticks those of its partitions. */
import {
  answerJson,
  type Bus,
  decodeJsonRequest,
  encodeJsonAnswer,
  epochTag,
  type JsonAnswer,
  serveWorker,
  subjects,
  type TimerCommand,
  type TimerNow,
  type TimerRequest,
} from "@parley/bus";
import type { TimerData } from "@parley/protocol";
import { addWorkerMetrics, createTally, type Logger, type Metrics, version } from "@parley/service-kit";
import type { Store } from "@parley/store";
import { type Access, checkControl, checkMayGovern, enter } from "./access.ts";
import type { Change } from "./carry-out.ts";
import { type Clock, systemClock } from "./clock.ts";
import { remainingAt, reset, set, start, stop, viewOf } from "./countdown.ts";
import { createNotifyEnded } from "./notify-ended.ts";
import { createRunning, type Running } from "./running.ts";
import { createTell, faceOf, orderAt, type TimerChanged } from "./tell.ts";
import { addTimerMetrics } from "./timer-metrics.ts";
import { type Timer, timerOf, withNotify } from "./timer-record.ts";
import { createTimers, type Timers } from "./timers.ts";

export interface TimerDeps {
  store: Store;
  timers: Timers;
  running: Running;
}

export interface TimerOptions {
  bus: Bus;
  store: Store;
  logger: Logger;
  metrics: Metrics;
  /** Id of this worker, unique among the living. */
  worker: string;
  /** The machine's unless given. */
  clock?: Clock;
}

export interface TimerWorker {
  deps: TimerDeps;
  isReady(): boolean;
  /** Gives its partitions away, answers what it took, and stops. */
  stop(): Promise<void>;
}

const checkEveryMs = 1_000;

export async function startTimer(options: TimerOptions): Promise<TimerWorker> {
  const { bus, store, logger, metrics, worker } = options;
  const tell = createTell(bus, worker);
  const notifyEnded = createNotifyEnded({ bus, store, logger });
  /** Nothing is ours until others can know that we live. */
  let owns: (partition: number) => boolean = () => false;
  const running = createRunning({
    ...{ store, tell, logger },
    clock: options.clock ?? systemClock,
    timers: () => timers,
    owns: (partition) => owns(partition),
  });
  const { nowFor, adopt } = running;
  const timers = createTimers({ store, tell, nowFor, adopt, ended: notifyEnded.ended });
  const deps: TimerDeps = { store, timers, running };

  const reread = (room: string) =>
    running.reread(room).catch((error) => logger.warn({ err: error }, "a timer could not be read again"));
  const changes = bus.nc.subscribe(subjects.timerChanged(), {
    callback: (error, msg) => {
      if (error) return;
      const changed = msg.json<TimerChanged>();
      if (changed.worker !== worker) void reread(changed.room);
    },
  });
  const rooms = bus.nc.subscribe(subjects.roomChanged(), {
    callback: (error, msg) => {
      // A room that was deleted takes its timer with it.
      if (!error && running.get(msg.string())) void reread(msg.string());
    },
  });

  const batches = createTally();
  const served = await serveWorker<TimerRequest, JsonAnswer>({
    bus,
    service: "timer",
    worker,
    version,
    description: "One countdown a room",
    decode: decodeJsonRequest,
    encode: encodeJsonAnswer,
    handle: (request) => answer(deps, request),
    stats: () => ({ running: running.size(), ...running.counts, ...timers.counts }),
    onBatch: batches.add,
    onError: (error, what, unavailable) => logger[unavailable ? "warn" : "error"]({ err: error }, what),
  });
  owns = served.owns;
  served.onOwnersChange(running.ownersChanged);
  running.ownersChanged();
  addWorkerMetrics(metrics, served, batches);
  addTimerMetrics(metrics, { running, timers });

  const checking = setInterval(() => {
    running.check().catch((error) => logger.warn({ err: error }, "timers could not be compared with the store"));
  }, checkEveryMs);

  return {
    deps,
    isReady: () => bus.isConnected(),
    async stop() {
      clearInterval(checking);
      await served.stop();
      running.stop();
      notifyEnded.stop();
      changes.unsubscribe();
      rooms.unsubscribe();
    },
  };
}

const dataOf = ({ running }: TimerDeps, timer: Timer, user: string): JsonAnswer => {
  const timerView = viewOf(timer, Math.ceil(remainingAt(timer, running.nowFor(timer))));
  return answerJson({ timer: timerView, notify: timer.notify.includes(user) } satisfies TimerData);
};

async function answer(deps: TimerDeps, request: TimerRequest): Promise<JsonAnswer> {
  if (request.kind === "peek") return answerJson(await peek(deps, request.room));
  const { user } = request;
  const access = await enter(deps.store, request.room, user);
  const timer = await (request.kind === "get"
    ? deps.timers.read(access.room)
    : deps.timers.change(access.room, changeOf(request, access)));
  return dataOf(deps, timer, user.id);
}

function changeOf(request: TimerCommand, access: Access): Change {
  const { ask, repeated = false, user } = request;
  const controlled = (timer: Timer) => {
    checkControl(timer.control, access);
    return timer;
  };
  const apply = (timer: Timer, nowMs: number): Timer => {
    switch (request.kind) {
      case "start":
        return start(controlled(timer), nowMs, request.durationMs);
      case "stop":
        return stop(controlled(timer), nowMs);
      case "reset":
        return reset(controlled(timer), request.durationMs);
      case "set": {
        const { notify, durationMs, cycle, control } = request;
        if (control !== null) checkMayGovern(access);
        // To be notified is one's own affair.
        if (durationMs !== null || cycle !== null || control !== null) controlled(timer);
        return set(notify === null ? timer : withNotify(timer, user, notify), request);
      }
    }
  };
  return { ask, repeated, apply };
}

/** The present frame of the room's timer, for one who begins to listen. */
async function peek({ store, running }: TimerDeps, room: string): Promise<TimerNow | null> {
  const held = running.get(room);
  if (held) return nowOf(held.timer, held.remainingMs);
  const [record] = await store.timers.find([room]);
  if (!record) return null;
  const timer = timerOf(record);
  return nowOf(timer, remainingAt(timer, running.nowFor(timer)));
}

const nowOf = (timer: Timer, remainingMs: number): TimerNow => ({
  tag: epochTag(timer.key),
  order: orderAt(timer.version, remainingMs),
  frame: faceOf(timer).frame(remainingMs),
});
