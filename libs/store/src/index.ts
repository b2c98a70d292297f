export { openStore, type StoreOptions } from "./open-store.ts";
export * from "./room-log.ts";
export * from "./rooms.ts";
export * from "./store.ts";
export * from "./users.ts";
