/** Who lives: each worker says so once a second, everybody listens, and all compute the same owners. */
import type { Bus } from "./connect-bus.ts";
import { ownersOf } from "./partitions.ts";
import { subjects, type WorkerService } from "./subjects.ts";

const beatMs = 1_000;
const silentMs = 3_200;

interface Beat {
  worker: string;
  leaving?: true;
}

export interface Announcement {
  /** Tells all to give this worker's partitions to others; batches still under way are answered. */
  leave(): void;
}

/** Says once a second that this worker lives. */
export function announceWorker(bus: Bus, service: WorkerService, worker: string): Announcement {
  const beat = (extra: Partial<Beat> = {}) =>
    bus.nc.publish(subjects.alive(service), JSON.stringify({ worker, ...extra } satisfies Beat));
  beat();
  const timer = setInterval(beat, beatMs);
  // Whoever comes later must not wait for the next second: workers answer a newcomer's question.
  bus.nc.subscribe(subjects.aliveAsk(service), { callback: () => beat() });
  return {
    leave: () => {
      clearInterval(timer);
      beat({ leaving: true });
    },
  };
}

export interface Workers {
  /** The worker of each partition now; null while none lives. */
  owners(): readonly (string | null)[];
  /** Told after each change of owners. */
  onChange(listener: () => void): void;
  /** Takes a worker that did not answer out, until its next sign of life. */
  suspect(worker: string): void;
  close(): void;
}

export function watchWorkers(bus: Bus, service: WorkerService): Workers {
  const lastHeard = new Map<string, number>();
  const listeners: (() => void)[] = [];
  let owners = ownersOf([]);
  const recompute = () => {
    owners = ownersOf(lastHeard.keys());
    for (const listener of listeners) listener();
  };
  const remove = (worker: string) => {
    if (lastHeard.delete(worker)) recompute();
  };
  const subscription = bus.nc.subscribe(subjects.alive(service), {
    callback: (error, msg) => {
      if (error) return;
      const beat = msg.json<Beat>();
      if (beat.leaving) return remove(beat.worker);
      const known = lastHeard.has(beat.worker);
      lastHeard.set(beat.worker, performance.now());
      if (!known) recompute();
    },
  });
  const ask = () => bus.nc.publish(subjects.aliveAsk(service));
  ask();
  bus.onReconnect(ask);
  const sweep = setInterval(() => {
    // While NATS is away nobody can be heard, which says nothing about the workers.
    if (!bus.isConnected()) return void refresh();
    const oldest = performance.now() - silentMs;
    for (const [worker, at] of lastHeard) if (at < oldest) remove(worker);
  }, 500);
  const refresh = () => {
    for (const worker of lastHeard.keys()) lastHeard.set(worker, performance.now());
  };
  return {
    owners: () => owners,
    onChange: (listener) => void listeners.push(listener),
    suspect: remove,
    close: () => {
      clearInterval(sweep);
      subscription.unsubscribe();
    },
  };
}
