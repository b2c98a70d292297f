import { ConfigError } from "./config.ts";
import type { Logger } from "./logger.ts";

/** What a service needs done when it stops, last started first. */
export interface Lifecycle {
  /** Registers a step of the stop; steps run one after another, the one registered last first. */
  onStop(name: string, step: () => unknown): void;
  /** True once a stop was asked for. */
  stopping(): boolean;
}

/**
 * Runs a service: `start` registers what has to be undone; SIGTERM, SIGINT or (with `parentPipe`) the closing of standard
 * input undo it and end the process with 0. A start that fails ends it with 1 and one clear line.
 */
export async function runService(
  start: (lifecycle: Lifecycle) => Promise<{ logger: Logger; parentPipe: boolean }>,
): Promise<void> {
  const steps: { name: string; step: () => unknown }[] = [];
  let stopAsked = false;
  let logger: Logger | null = null;

  const stop = async (why: string, code: number) => {
    if (stopAsked) return;
    stopAsked = true;
    logger?.info({ why }, "stopping");
    for (const { name, step } of steps.reverse()) {
      try {
        await step();
      } catch (error) {
        logger?.warn({ err: error, step: name }, "a step of the stop failed");
      }
    }
    logger?.info("stopped");
    process.exit(code);
  };

  process.on("SIGTERM", () => void stop("SIGTERM", 0));
  process.on("SIGINT", () => void stop("SIGINT", 0));
  process.on("uncaughtException", (error) => {
    if (logger) logger.fatal({ err: error }, "uncaught exception");
    else console.error(error);
    // What is half done is in no one's hands now; the store and the bus are made for a process that dies.
    process.exit(1);
  });

  try {
    const started = await start({ onStop: (name, step) => steps.push({ name, step }), stopping: () => stopAsked });
    logger = started.logger;
    if (started.parentPipe) {
      process.stdin.on("end", () => void stop("the launcher is gone", 0));
      process.stdin.on("error", () => void stop("the launcher is gone", 0));
      process.stdin.resume();
    }
  } catch (error) {
    const known = error instanceof ConfigError || (error instanceof Error && "clear" in error);
    console.error(known ? (error as Error).message : error);
    process.exit(1);
  }
}
