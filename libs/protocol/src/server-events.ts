/** What a server sends: types for clients, and the names that no custom event may take. */
import type { ErrorCode } from "./errors.ts";

export interface Sender {
  id: string;
  name: string;
}

/** One entry of a room's log, the same in live events, `missed` and `History`. `at` is ISO 8601, UTC. */
export interface Entry {
  seq: number;
  kind: "message" | "edited" | "deleted" | "reacted" | "system";
  sender: Sender;
  text: string | null;
  data: unknown;
  replyTo: number | null;
  at: string;
  clientMessageId: string;
  /** Of an edit, a deletion, a reaction: the seq of the message it is about. */
  target?: number;
  emoji?: string;
  remove?: boolean;
  /** A message that was deleted since: its text and data are gone. */
  deleted?: true;
}

export interface User {
  id: string;
  name: string;
  guest: boolean;
}

/** What a user can say of themselves; who is not there is `offline`. */
export const statuses = ["online", "away", "busy"] as const;
export type Status = (typeof statuses)[number];

/** A user as others see them. */
export interface PresentUser extends User {
  status: Status | "offline";
  /** What they said beside their status. */
  statusText?: string;
  /** ISO 8601, UTC; null while it is not known. */
  lastSeenAt: string | null;
  /** What the user brought along, or null. */
  info: Record<string, unknown> | null;
  /** As in `#7c3aed`. */
  avatarColor?: string;
  /** How many sessions they have. */
  devices: number;
}

export interface ActiveUsersData {
  users: PresentUser[];
  total: number;
  next: string | null;
  /** Presence can't be had for the moment: `users` holds the asker alone. */
  frozen?: true;
}

/** Data of a `presence` event; absent arrays are empty. */
export interface PresenceData {
  online?: PresentUser[];
  update?: PresentUser[];
  offline?: PresentUser[];
  /** True: presence stands still, what is known may be out of date. False: it goes on; ask ActiveUsers for what it is now. */
  frozen?: boolean;
}

export interface Reply<Data = unknown> {
  eventType: "Reply";
  event: string | null;
  requestId: string | number | null;
  success: boolean;
  data: Data | null;
  error: string | null;
  code?: ErrorCode;
  retryable?: boolean;
  retryAfterMs?: number;
}

export interface ServerEvent<Data = unknown> {
  eventType: "ServerEvent";
  event: string;
  room?: string;
  seq?: number;
  data: Data;
}

export interface HelloData {
  message: string;
  session: string;
  node: string;
  heartbeatMs: number;
  idleTimeoutMs: number;
  protocol: "parley.v1";
}

export interface JoinData {
  room: string;
  head: number;
  epoch: string;
  role: "owner" | "moderator" | "member";
  /** How many members the room has. */
  members: number;
  recovered: boolean;
  missed: Entry[];
  truncated: boolean;
}

/** A room that could not be joined again in `Register`. */
export interface JoinError {
  error: string;
  code: ErrorCode;
  retryable: boolean;
}

export interface RegisterData {
  user: User;
  /** A guest's way back. */
  token?: string;
  activeUsers: ActiveUsersData;
  rooms?: Record<string, JoinData | JoinError>;
}

export interface SendData {
  room: string;
  seq: number;
  at: string;
  duplicate: boolean;
}

export interface HistoryData {
  room: string;
  entries: Entry[];
  head: number;
  epoch: string;
  /** Whether there are more entries in the direction asked for. */
  more: boolean;
}

export interface RoomSummary {
  room: string;
  head: number;
  lastRead: number;
  unread: number;
  last: Entry | null;
}

export const serverEventNames = [
  "Hello", "Drain", "message", "message.edited", "message.deleted", "message.reacted", "message.system", "read",
  "typing", "presence", "room.joined", "room.left", "room.reset", "timer", "timer.finished", "notification", "ticket",
  "unread", "resume_required", "Closed",
] as const; // biome-ignore format: one list

/** The text that greets every connection. */
export const greeting = "Hello! Message From Server!!";
