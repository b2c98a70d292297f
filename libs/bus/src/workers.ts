/** Who lives: each worker says so again and again, everybody listens, and all compute the same owners. */
import { randomBytes } from "node:crypto";
import type { Bus } from "./connect-bus.ts";
import { ownersOf } from "./partitions.ts";
import { subjects, type WorkerService } from "./subjects.ts";

/** How often a worker says that it lives, and after how long a silence it is taken to be gone. */
const rhythms: Record<WorkerService, { beatMs: number; silentMs: number }> = {
  chat: { beatMs: 1_000, silentMs: 3_200 },
  presence: { beatMs: 1_000, silentMs: 3_200 },
  notify: { beatMs: 1_000, silentMs: 3_200 },
  // Nobody asks a timer's worker while it ticks, so only its silence tells that it is gone; ticks go on within 3 s.
  timer: { beatMs: 400, silentMs: 1_700 },
};
const sweepsPerSilence = 6;

interface Beat {
  worker: string;
  leaving?: true;
}

export interface Announcement {
  /** Tells all to give this worker's partitions to others; batches still under way are answered. */
  leave(): void;
}

/** A name of its own for every life: a restarted worker is another one to those who ask. */
export const newWorkerName = (instance: string): string => `${instance}-${randomBytes(5).toString("hex")}`;

/** Says again and again that this worker lives. */
export function announceWorker(bus: Bus, service: WorkerService, worker: string): Announcement {
  const beat = (extra: Partial<Beat> = {}) =>
    bus.nc.publish(subjects.alive(service), JSON.stringify({ worker, ...extra } satisfies Beat));
  beat();
  const timer = setInterval(beat, rhythms[service].beatMs);
  // Whoever comes later must not wait for the next beat: workers answer a newcomer's question.
  const asked = bus.nc.subscribe(subjects.aliveAsk(service), { callback: () => beat() });
  return {
    leave: () => {
      clearInterval(timer);
      asked.unsubscribe();
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
  const { silentMs } = rhythms[service];
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
      // Whatever else came this way would own partitions that nobody serves.
      if (typeof beat.worker !== "string") return;
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
  }, silentMs / sweepsPerSilence);
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
