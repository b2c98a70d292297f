export * from "./connect-redis.ts";
export * from "./directory.ts";
export { endNode } from "./sweeper.ts";
export { changeOf, createTeller } from "./tell.ts";
