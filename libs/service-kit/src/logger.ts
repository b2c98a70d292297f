import { type Logger, pino } from "pino";

export type { Logger };

/** One JSON object a line. Never hand it a token, a phone number or a message's text. `traceIds` go into each line. */
export function createLogger(options: {
  service: string;
  instance: string;
  level: string;
  traceIds?: () => object;
}): Logger {
  return pino({
    level: options.level,
    base: { service: options.service, instance: options.instance, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    ...(options.traceIds ? { mixin: options.traceIds } : {}),
  });
}
