export type Unsubscribe = () => void;

/** Typed events for one object. A listener that throws harms neither the sender nor the other listeners. */
export function createEmitter<Events extends object>() {
  const listeners = new Map<keyof Events, Set<(value: never) => void>>();
  return {
    on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): Unsubscribe {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(listener));
      return () => set.delete(listener);
    },
    emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
      for (const listener of [...(listeners.get(name) ?? [])]) {
        try {
          (listener as (value: Events[Name]) => void)(value);
        } catch (error) {
          // The application's mistake: shown where uncaught errors are shown.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
  };
}

/** What React's useSyncExternalStore wants: a value that is a new object exactly when something in it changed. */
export interface Store<Snapshot> {
  /** Calls `listener` after each change; answers how to stop that. */
  subscribe(listener: () => void): Unsubscribe;
  /** The present value; the same object until something changes. */
  snapshot(): Snapshot;
}

/** A store whose value is computed when it is asked for, at most once a change: a burst of changes costs one. */
export function createStore<Snapshot>(compute: () => Snapshot): Store<Snapshot> & { changed(): void } {
  const listeners = new Set<() => void>();
  let value: Snapshot | undefined;
  let fresh = false;
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    snapshot() {
      if (!fresh) {
        value = compute();
        fresh = true;
      }
      return value as Snapshot;
    },
    changed() {
      fresh = false;
      for (const listener of [...listeners]) listener();
    },
  };
}
