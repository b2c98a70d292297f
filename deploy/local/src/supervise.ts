import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** How one process is started and known to work. */
export interface SuperviseOptions {
  /** For people: `gateway 1`. */
  title: string;
  /** Starts it; called again at each restart. */
  spawn(): ChildProcess;
  /** How it gets a signal, if not as its own process; answers whether it could be sent. */
  signal?: ((child: ChildProcess, signal: NodeJS.Signals) => boolean) | undefined;
  /** One look at whether it works. */
  isReady(): Promise<boolean>;
  /** Called whenever the process id changes; null while there is no process. */
  onPid(pid: number | null): void;
  onLine(line: string): void;
  announce(line: string): void;
}

export interface Supervised {
  title: string;
  pid(): number | null;
  /** How often it was started again. */
  restarts(): number;
  /** Resolves at the first readiness. Rejects when it keeps dying, or is not ready in time, with its last lines. */
  whenReady(timeoutMs: number): Promise<void>;
  /** False when there is no process now. */
  signal(signal: NodeJS.Signals): boolean;
  /** Ends it for good: SIGTERM, and SIGKILL after `graceMs`. Resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
}

/** A start that worked for a second counts as good, so that a single death is made up for at once. */
const goodAfterMs = 1_000;
const restartDelaysMs = [100, 500, 1_000, 2_000, 5_000];
/** Before it was ever ready, so many deaths in a row are an error of the start, not bad luck. */
const deathsBeforeGivingUp = 3;
const readinessPollMs = 50;
const keptLines = 40;

/** How long to wait before starting again what died `deathsInARow` times without having worked in between. */
export function restartDelayMs(deathsInARow: number): number {
  return restartDelaysMs[Math.min(deathsInARow, restartDelaysMs.length) - 1] ?? 0;
}

/** Runs a process and starts it again when it dies, at once at first and ever more slowly when it dies at once. */
export function supervise(options: SuperviseOptions): Supervised {
  const { title, announce, signal: send = (to, signal) => to.kill(signal) } = options;
  const lastLines: string[] = [];
  let child: ChildProcess | null = null;
  let stopping = false;
  let restarts = 0;
  let deathsInARow = 0;
  const first = Promise.withResolvers<void>();
  // Nobody may be waiting yet when it fails.
  first.promise.catch(() => {});
  const stopped = new AbortController();

  const keepLine = (line: string) => {
    lastLines.push(line);
    if (lastLines.length > keptLines) lastLines.shift();
    options.onLine(line);
  };

  const failure = (what: string) =>
    new Error(`${title} ${what}${lastLines.length > 0 ? `; the last it said:\n  ${lastLines.join("\n  ")}` : ""}`);

  const watchReadiness = async (watched: ChildProcess, startedAt: number) => {
    while (child === watched && !stopping) {
      if (await options.isReady()) {
        if (child !== watched) return;
        if (restarts > 0) announce(`${title} is back, ready after ${Date.now() - startedAt} ms`);
        first.resolve();
        return;
      }
      await sleep(readinessPollMs);
    }
  };

  const start = () => {
    const startedAt = Date.now();
    lastLines.length = 0;
    const started = options.spawn();
    child = started;
    options.onPid(started.pid ?? null);
    for (const stream of [started.stdout, started.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", keepLine);
    }
    // Written to while it dies, a pipe reports an error of its own; the exit says all there is to say.
    started.stdin?.on("error", () => {});
    let gone = false;
    const onGone = (how: string) => {
      if (gone) return;
      gone = true;
      child = null;
      options.onPid(null);
      if (stopping) return;
      deathsInARow = Date.now() - startedAt < goodAfterMs ? deathsInARow + 1 : 1;
      void startAgain(how);
    };
    started.once("error", (error) => onGone(`can't be started: ${error.message}`));
    started.once("exit", (code, signal) => onGone(signal ? `was ended by ${signal}` : `ended with exit code ${code}`));
    void watchReadiness(started, startedAt);
  };

  const startAgain = async (how: string) => {
    if (deathsInARow >= deathsBeforeGivingUp) first.reject(failure(`${how} ${deathsInARow} times in a row`));
    const delayMs = restartDelayMs(deathsInARow);
    announce(`${title} ${how}; starting it again${deathsInARow > 1 ? ` in ${delayMs} ms` : ""}`);
    await sleep(delayMs, undefined, { signal: stopped.signal }).catch(() => {});
    if (stopping) return;
    restarts += 1;
    start();
  };

  start();
  return {
    title,
    pid: () => child?.pid ?? null,
    restarts: () => restarts,
    async whenReady(timeoutMs) {
      const timeout = new AbortController();
      const late = sleep(timeoutMs, undefined, { signal: timeout.signal }).then(() => {
        throw failure(`was not ready within ${timeoutMs / 1000} s`);
      });
      try {
        await Promise.race([first.promise, late]);
      } finally {
        timeout.abort();
        late.catch(() => {});
      }
    },
    signal: (signal) => child !== null && send(child, signal),
    async stop(graceMs) {
      stopping = true;
      stopped.abort();
      first.reject(new Error(`${title} was stopped`));
      const ending = child;
      if (ending === null) return;
      const exit = new Promise<void>((resolve) => ending.once("exit", () => resolve()));
      send(ending, "SIGTERM");
      // A process that a test froze would not hear of it.
      send(ending, "SIGCONT");
      const killer = setTimeout(() => {
        announce(`${title} did not stop within ${graceMs / 1000} s and is killed`);
        send(ending, "SIGKILL");
      }, graceMs);
      await exit;
      clearTimeout(killer);
    },
  };
}
