export * from "./client-events.ts";
export * from "./close-codes.ts";
export * from "./duration.ts";
export * from "./errors.ts";
export * from "./limits.ts";
export * from "./names.ts";
export * from "./server-events.ts";
export * from "./timer.ts";
