/** Rooms, their members and the members' read marks. */

export type Visibility = "public" | "private" | "direct";
export type Role = "owner" | "moderator" | "member";

export interface RoomRecord {
  name: string;
  /** Random 48-bit integer, new for each incarnation: a room made again under an old name shares nothing with the old one. */
  key: number;
  visibility: Visibility;
  title: string | null;
  /** Nothing may be sent while true. */
  closed: boolean;
  /** Members are told of each other's read marks. */
  receipts: boolean;
  /** Entries older than this are forgotten; null keeps them. */
  retentionMs: number | null;
  /** Entries beyond this many are forgotten; null keeps them. */
  retentionEntries: number | null;
  createdAtMs: number;
  /** Grows by one with each change. */
  version: number;
}

export type RoomChanges = Partial<
  Pick<RoomRecord, "visibility" | "title" | "closed" | "receipts" | "retentionMs" | "retentionEntries">
>;

export interface MemberRecord {
  user: string;
  role: Role;
  /** False for somebody who is banned without being a member. */
  member: boolean;
  /** Until when the user may not send (milliseconds since 1970), 0 if they may. */
  mutedUntilMs: number;
  /** A banned user may neither join, read nor send. */
  banned: boolean;
  joinedAtMs: number;
  /** The read mark: the seq read last, and the count of messages up to it. */
  lastRead: number;
  lastReadCount: number;
}

export type MemberChanges = Partial<Pick<MemberRecord, "role" | "member" | "mutedUntilMs" | "banned">>;

/** What `putMember` makes of the record before, or of none; `atMs` is the time of the change. */
export function changedMember(
  before: MemberRecord | null,
  user: string,
  changes: MemberChanges,
  atMs: number,
): MemberRecord {
  const member = changes.member ?? before?.member ?? true;
  const becomes = member && !before?.member;
  return {
    user,
    role: changes.role ?? before?.role ?? "member",
    member,
    mutedUntilMs: changes.mutedUntilMs ?? before?.mutedUntilMs ?? 0,
    banned: changes.banned ?? before?.banned ?? false,
    joinedAtMs: before === null || becomes ? atMs : before.joinedAtMs,
    lastRead: before?.lastRead ?? 0,
    lastReadCount: before?.lastReadCount ?? 0,
  };
}

export interface Membership {
  room: RoomRecord;
  member: MemberRecord;
}

export interface RoomStore {
  find(names: string[]): Promise<(RoomRecord | null)[]>;
  /** Makes the room, or answers the one that is there (`created:false`) when somebody was quicker. */
  create(room: RoomRecord): Promise<{ room: RoomRecord; created: boolean }>;
  /** Changes and bumps the version; null for an absent room. */
  change(name: string, changes: RoomChanges): Promise<RoomRecord | null>;
  /** Forgets the room, its members, its timer and its log (the log's rows may go bit by bit afterwards). False when absent. */
  delete(name: string): Promise<boolean>;
  /** Rooms by name, ascending, names > after. */
  list(options: { after: string | null; limit: number }): Promise<RoomRecord[]>;
  /** Rooms which have a retention rule. */
  withRetention(): Promise<RoomRecord[]>;

  /** The user's record in the room, or null where there is none (neither member nor banned). */
  member(key: number, user: string): Promise<MemberRecord | null>;
  /**
   * Makes or changes a record, and answers the whole of it, and whether the user was a member before.
   * A new record is {role:"member", member:true, mutedUntilMs:0, banned:false, lastRead:0, lastReadCount:0} and `changes`.
   * `atMs` becomes joinedAtMs of a new record, and of one that becomes a member's again. In a room that was deleted
   * meanwhile nothing is kept; the answer is as if the deletion had come after.
   */
  putMember(
    key: number,
    user: string,
    changes: MemberChanges,
    atMs: number,
  ): Promise<{ member: MemberRecord; wasMember: boolean }>;
  /** Ends a membership; a ban, a mute stays, role and read mark do not. Answers whether the user was a member. */
  removeMember(key: number, user: string): Promise<boolean>;
  /** Members (member:true), ascending by user id, ids > after. */
  members(key: number, options: { after: string | null; limit: number }): Promise<MemberRecord[]>;
  countMembers(key: number): Promise<number>;
  /** Records that differ from the plain member's: another role, muted or banned. */
  exceptions(key: number): Promise<MemberRecord[]>;
  /** A user's rooms, ascending by room name, names > after. */
  roomsOf(user: string, options: { after: string | null; limit: number }): Promise<Membership[]>;
  /**
   * Moves a member's read mark forward to (seq, count); a lower one changes nothing.
   * Answers the mark that is then in force, null for who is no member.
   */
  markRead(key: number, user: string, seq: number, count: number): Promise<{ seq: number; count: number } | null>;
  /**
   * How many messages the user has not read: the head's count − the count at the mark − the user's own since the mark.
   * The mark counts as at least (oldest kept entry − 1), so that forgotten messages are not unread. 0 for a non-member.
   */
  unread(items: { key: number; user: string }[]): Promise<number[]>;
}
