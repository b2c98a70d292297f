import type { RoomLog } from "./room-log.ts";
import type { RoomStore } from "./rooms.ts";
import type { UserStore } from "./users.ts";

/** Everything a service may ask of a store. */
export interface Store {
  log: RoomLog;
  rooms: RoomStore;
  users: UserStore;
  /** Rejects with StoreUnavailable when the store can't be written to. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The store can't be reached, is full, or did not answer in time. Whoever asked may try again. */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}
