import { Unavailable } from "@parley/protocol";
import type { NotificationStore } from "./notifications.ts";
import type { RevocationStore } from "./revocations.ts";
import type { RoomLog } from "./room-log.ts";
import type { RoomStore } from "./rooms.ts";
import type { SmsStore } from "./sms.ts";
import type { TicketStore } from "./tickets.ts";
import type { TimerStore } from "./timers.ts";
import type { UserStore } from "./users.ts";

/**
 * Everything a service may ask of a store.
 *
 * Names and ids have one character at least and never U+0000; where they ascend, it is by code point (by their UTF-8
 * bytes). Every call may reject with StoreUnavailable.
 */
export interface Store {
  log: RoomLog;
  rooms: RoomStore;
  users: UserStore;
  notifications: NotificationStore;
  sms: SmsStore;
  tickets: TicketStore;
  timers: TimerStore;
  revocations: RevocationStore;
  /** Rejects with StoreUnavailable when the store can't be written to. */
  ping(): Promise<void>;
  /** Resolves once all that was asked for is answered; what is asked for afterwards is StoreUnavailable. */
  close(): Promise<void>;
}

/** The store can't be reached, is full, or did not answer in time. Whoever asked may try again. */
export class StoreUnavailable extends Unavailable {
  override name = "StoreUnavailable";
  override readonly told = "The store can't be reached for the moment; send it again";
}
