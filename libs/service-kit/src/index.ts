export { type Static, Type } from "typebox";
export * from "./config.ts";
export * from "./internal-api.ts";
export * from "./lifecycle.ts";
export * from "./logger.ts";
export * from "./metrics.ts";
export * from "./signature.ts";
export * from "./tally.ts";
export * from "./worker-metrics.ts";
