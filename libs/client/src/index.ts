export type {
  Entry,
  NotificationsData,
  NotificationView,
  Preferences,
  PresentUser,
  RoomSummary,
  Sender,
  ServerEvent,
  TicketsData,
  TicketView,
  TimerControl,
  TimerCycle,
  TimerPhase,
  TimerView,
  User,
} from "@parley/protocol";
export { formatDuration } from "@parley/protocol";
export type { CallOptions } from "./call.ts";
export { type ConnectOptions, connect, type EmitTarget, type Parley, type ParleyEvents } from "./connect.ts";
export { type ConnectionSnapshot, type ConnectionState, initialSnapshot } from "./connection.ts";
export type { TokenProvider } from "./credentials.ts";
export type { Store, Unsubscribe } from "./emitter.ts";
export { ParleyError } from "./errors.ts";
export type { Message, Reaction } from "./fold.ts";
export type { TokenStorage } from "./guest-token.ts";
export type { MyRooms } from "./my-rooms.ts";
export { indexedDbOutbox, type OutboxItem, type OutboxStorage } from "./outbox-storage.ts";
export type { Content, PendingMessage } from "./pending.ts";
export type { Presence, PresenceSnapshot } from "./presence.ts";
export type { Room, RoomEvents, RoomSnapshot, RoomState } from "./room.ts";
export type { JoinOptions } from "./room-log.ts";
export type { RoomTimer, TimerDuration, TimerEvents, TimerSettings, TimerSnapshot } from "./timer.ts";
export type { Transport } from "./transports.ts";
