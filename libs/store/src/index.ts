export * from "./room-log.ts";
export * from "./rooms.ts";
export * from "./users.ts";
export * from "./store.ts";
