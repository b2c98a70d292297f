import type { SQLInputValue } from "node:sqlite";
import {
  changedMember,
  type MemberChanges,
  type MemberRecord,
  type Membership,
  type Role,
  type RoomChanges,
  type RoomRecord,
  type Visibility,
} from "../rooms.ts";
import type { Connection } from "./connection.ts";

interface RoomRow {
  name: string;
  key: number;
  visibility: Visibility;
  title: string | null;
  closed: number;
  receipts: number;
  retention_ms: number | null;
  retention_entries: number | null;
  created_at: number;
  version: number;
}

interface MemberRow {
  user: string;
  role: Role;
  member: number;
  muted_until: number;
  banned: number;
  joined_at: number;
  last_read: number;
  last_read_count: number;
}

function roomOf(row: RoomRow): RoomRecord {
  return {
    name: row.name,
    key: row.key,
    visibility: row.visibility,
    title: row.title,
    closed: row.closed === 1,
    receipts: row.receipts === 1,
    retentionMs: row.retention_ms,
    retentionEntries: row.retention_entries,
    createdAtMs: row.created_at,
    version: row.version,
  };
}

function memberOf(row: MemberRow): MemberRecord {
  return {
    user: row.user,
    role: row.role,
    member: row.member === 1,
    mutedUntilMs: row.muted_until,
    banned: row.banned === 1,
    joinedAtMs: row.joined_at,
    lastRead: row.last_read,
    lastReadCount: row.last_read_count,
  };
}

const roomColumns: Record<keyof RoomChanges, string> = {
  visibility: "visibility",
  title: "title",
  closed: "closed",
  receipts: "receipts",
  retentionMs: "retention_ms",
  retentionEntries: "retention_entries",
};

const memberColumns = "user, role, member, muted_until, banned, joined_at, last_read, last_read_count";

function sqlValue(value: string | number | boolean | null): SQLInputValue {
  return typeof value === "boolean" ? Number(value) : value;
}

/** The rooms and members of RoomStore inside the thread; the port says what each does. */
export function roomsTable({ db }: Connection) {
  const find = db.prepare("SELECT * FROM rooms WHERE name = ?");
  const exists = db.prepare("SELECT 1 FROM rooms WHERE key = ?");
  const insert = db.prepare(
    `INSERT INTO rooms (name, key, visibility, title, closed, receipts, retention_ms, retention_entries, created_at, version)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare("DELETE FROM rooms WHERE name = ? RETURNING key");
  const removeMembers = db.prepare("DELETE FROM members WHERE key = ?");
  const markDeleted = db.prepare("INSERT OR IGNORE INTO deleted_logs (key) VALUES (?)");
  const list = db.prepare("SELECT * FROM rooms WHERE name > ? ORDER BY name LIMIT ?");
  const listAll = db.prepare("SELECT * FROM rooms ORDER BY name LIMIT ?");
  const retained = db.prepare(
    "SELECT * FROM rooms WHERE retention_ms IS NOT NULL OR retention_entries IS NOT NULL ORDER BY name",
  );

  const member = db.prepare(`SELECT ${memberColumns} FROM members WHERE key = ? AND user = ?`);
  const putMember = db.prepare(
    `INSERT OR REPLACE INTO members (key, ${memberColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const removeMember = db.prepare("DELETE FROM members WHERE key = ? AND user = ?");
  const members = db.prepare(
    `SELECT ${memberColumns} FROM members WHERE key = ? AND user > ? AND member = 1 ORDER BY user LIMIT ?`,
  );
  const count = db.prepare("SELECT count(*) AS n FROM members WHERE key = ? AND member = 1");
  const exceptions = db.prepare(
    `SELECT ${memberColumns} FROM members
     WHERE key = ? AND (role <> 'member' OR muted_until > 0 OR banned = 1) ORDER BY user`,
  );
  const roomsOf = db.prepare(
    `SELECT r.*, ${memberColumns.replace(/\w+/g, "m.$&")} FROM members m JOIN rooms r ON r.key = m.key
     WHERE m.user = ?1 AND m.member = 1 AND (?2 IS NULL OR r.name > ?2) ORDER BY r.name LIMIT ?3`,
  );
  const markRead = db.prepare("UPDATE members SET last_read = ?, last_read_count = ? WHERE key = ? AND user = ?");

  const recordOf = (key: number, user: string): MemberRecord | null => {
    const row = member.get(key, user) as MemberRow | undefined;
    return row === undefined ? null : memberOf(row);
  };

  const store = (key: number, m: MemberRecord): void => {
    putMember.run(
      key,
      m.user,
      m.role,
      Number(m.member),
      m.mutedUntilMs,
      Number(m.banned),
      m.joinedAtMs,
      m.lastRead,
      m.lastReadCount,
    );
  };

  return {
    exists: (key: number): boolean => exists.get(key) !== undefined,

    find(names: string[]): (RoomRecord | null)[] {
      return names.map((name) => {
        const row = find.get(name) as RoomRow | undefined;
        return row === undefined ? null : roomOf(row);
      });
    },
    create(room: RoomRecord): { room: RoomRecord; created: boolean } {
      const row = find.get(room.name) as RoomRow | undefined;
      if (row !== undefined) return { room: roomOf(row), created: false };
      insert.run(
        room.name,
        room.key,
        room.visibility,
        room.title,
        Number(room.closed),
        Number(room.receipts),
        room.retentionMs,
        room.retentionEntries,
        room.createdAtMs,
        room.version,
      );
      return { room, created: true };
    },
    change(name: string, changes: RoomChanges): RoomRecord | null {
      const columns = (Object.keys(roomColumns) as (keyof RoomChanges)[]).filter((c) => changes[c] !== undefined);
      const sets = ["version = version + 1", ...columns.map((column) => `${roomColumns[column]} = ?`)];
      const row = db
        .prepare(`UPDATE rooms SET ${sets.join(", ")} WHERE name = ? RETURNING *`)
        .get(...columns.map((column) => sqlValue(changes[column] ?? null)), name) as RoomRow | undefined;
      return row === undefined ? null : roomOf(row);
    },
    /** Answers the key of the room that is gone, or null. Its log's rows stay, and are marked to go. */
    delete(name: string): number | null {
      const row = remove.get(name) as { key: number } | undefined;
      if (row === undefined) return null;
      removeMembers.run(row.key);
      markDeleted.run(row.key);
      return row.key;
    },
    list(options: { after: string | null; limit: number }): RoomRecord[] {
      const rows = options.after === null ? listAll.all(options.limit) : list.all(options.after, options.limit);
      return (rows as unknown as RoomRow[]).map(roomOf);
    },
    withRetention(): RoomRecord[] {
      return (retained.all() as unknown as RoomRow[]).map(roomOf);
    },

    member: recordOf,
    putMember(
      key: number,
      user: string,
      changes: MemberChanges,
      atMs: number,
    ): { member: MemberRecord; wasMember: boolean } {
      const before = recordOf(key, user);
      const record = changedMember(before, user, changes, atMs);
      if (exists.get(key) !== undefined) store(key, record);
      return { member: record, wasMember: before?.member ?? false };
    },
    removeMember(key: number, user: string): boolean {
      const before = recordOf(key, user);
      if (before === null) return false;
      if (before.banned || before.mutedUntilMs > 0) {
        store(key, { ...before, role: "member", member: false, lastRead: 0, lastReadCount: 0 });
      } else {
        removeMember.run(key, user);
      }
      return before.member;
    },
    members(key: number, options: { after: string | null; limit: number }): MemberRecord[] {
      // No user id is empty, so "" comes before all.
      return (members.all(key, options.after ?? "", options.limit) as unknown as MemberRow[]).map(memberOf);
    },
    countMembers: (key: number): number => (count.get(key) as { n: number }).n,
    exceptions(key: number): MemberRecord[] {
      return (exceptions.all(key) as unknown as MemberRow[]).map(memberOf);
    },
    roomsOf(user: string, options: { after: string | null; limit: number }): Membership[] {
      const rows = roomsOf.all(user, options.after, options.limit) as unknown as (RoomRow & MemberRow)[];
      return rows.map((row) => ({ room: roomOf(row), member: memberOf(row) }));
    },
    markRead(key: number, user: string, seq: number, mark: number): { seq: number; count: number } | null {
      const record = recordOf(key, user);
      if (!record?.member) return null;
      if (seq <= record.lastRead) return { seq: record.lastRead, count: record.lastReadCount };
      markRead.run(seq, mark, key, user);
      return { seq, count: mark };
    },
  };
}
