export * from "./connect-redis.ts";
export * from "./consumer.ts";
export * from "./new-id.ts";
export * from "./producer.ts";
export * from "./queues.ts";
export * from "./sweeper.ts";
