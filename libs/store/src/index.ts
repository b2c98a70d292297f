export * from "./notifications.ts";
export { openStore, type StoreOptions } from "./open-store.ts";
export * from "./room-log.ts";
export * from "./rooms.ts";
export * from "./sms.ts";
export * from "./store.ts";
export * from "./tickets.ts";
export * from "./timers.ts";
export * from "./users.ts";
