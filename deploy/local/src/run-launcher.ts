import { rmSync } from "node:fs";
import { FlagError, helpText, parseFlags } from "./flags.ts";
import { createProcessLog, terminalTarget } from "./process-log.ts";
import { processTable } from "./process-table.ts";
import type { ServiceDefinition } from "./services.ts";
import { type Stack, startStack } from "./stack.ts";
import { claimStateDir, endOrphans, statePaths } from "./state-dir.ts";

export interface LauncherOptions {
  checkoutDir: string;
  stateDir: string;
  services: readonly ServiceDefinition[];
  args: string[];
}

/** One press of Ctrl-C can arrive twice: from the terminal and from npm, which passes it on. */
const samePressMs = 700;

/**
 * Runs everything on this machine until Ctrl-C. Resolves with the exit code: 0 once all has stopped as asked, 1 when it
 * can't start, having said why. A second Ctrl-C kills instead of draining and ends the process with 130.
 */
export async function runLauncher(options: LauncherOptions): Promise<number> {
  try {
    return await launch(options);
  } catch (error) {
    const help = error instanceof FlagError ? `\n\n${helpText(options.services)}` : "";
    console.error(`parley: ${error instanceof Error ? error.message : String(error)}${help}`);
    return 1;
  }
}

async function launch({ checkoutDir, stateDir, services, args }: LauncherOptions): Promise<number> {
  const flags = parseFlags(args, services);
  if (flags.help) {
    console.log(helpText(services));
    return 0;
  }
  const log = createProcessLog(terminalTarget(), Math.max(...services.map(({ name }) => name.length)) + 2);
  const release = claimStateDir(stateDir);
  const asked = new AbortController();
  let stack: Stack | null = null;
  stopOnSignals(log.say, asked, () => stack?.killAll());

  try {
    await endOrphans(stateDir, checkoutDir, log.say);
    if (flags.fresh) {
      rmSync(statePaths(stateDir).data, { recursive: true, force: true });
      log.say("began anew: stored rooms and messages are gone");
    }
    const startedAt = Date.now();
    stack = await startStack({
      ...flags,
      ...{ checkoutDir, stateDir, services, signal: asked.signal },
      announce: log.say,
      onLine: log.processLine,
    });
    log.say(processTable(stack, (Date.now() - startedAt) / 1000));
    await new Promise((resolve) => asked.signal.addEventListener("abort", resolve, { once: true }));
    await stack.stop();
    log.say("stopped; nothing runs any more");
    return 0;
  } catch (error) {
    if (asked.signal.aborted) return 0;
    throw error;
  } finally {
    release();
  }
}

function stopOnSignals(say: (line: string) => void, asked: AbortController, killAll: () => void): void {
  let askedAt = 0;
  const stop = (signal: string) => {
    const now = Date.now();
    if (askedAt === 0) {
      askedAt = now;
      say(`stopping (${signal}): gateways first, then workers, then NATS; press Ctrl-C again to kill`);
      asked.abort(new Error("stopped before it was ready"));
    } else if (signal === "SIGINT" && now - askedAt > samePressMs) {
      killAll();
      process.exit(130);
    }
  };
  process.on("SIGINT", () => stop("SIGINT"));
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGHUP", () => stop("SIGHUP"));
  // The bootstrap holds the other end; when it is killed there is no one left who could press Ctrl-C.
  process.on("disconnect", () => stop("the terminal's npm is gone"));
  process.channel?.unref();
}
