import type { UserRecord } from "../users.ts";
import type { Connection } from "./connection.ts";

interface UserRow {
  id: string;
  name: string;
  guest: number;
  info: string | null;
  created_at: number;
  last_seen_at: number;
}

function userOf(row: UserRow): UserRecord {
  return {
    id: row.id,
    name: row.name,
    guest: row.guest === 1,
    info: row.info,
    createdAtMs: row.created_at,
    lastSeenAtMs: row.last_seen_at,
  };
}

/** UserStore inside the thread; the port says what each does. */
export function usersTable({ db }: Connection) {
  const put = db.prepare(
    `INSERT INTO users (id, name, guest, info, created_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, guest = excluded.guest, info = excluded.info,
       created_at = excluded.created_at, last_seen_at = excluded.last_seen_at`,
  );
  const find = db.prepare("SELECT * FROM users WHERE id = ?");
  const touch = db.prepare("UPDATE users SET last_seen_at = ?2 WHERE id = ?1 AND last_seen_at < ?2");
  const stale = db.prepare(
    "SELECT id FROM users WHERE guest = 1 AND last_seen_at < ? ORDER BY last_seen_at, id LIMIT ?",
  );
  const remove = db.prepare("DELETE FROM users WHERE id = ?");
  const removeMemberships = db.prepare("DELETE FROM members WHERE user = ?");

  return {
    put(user: UserRecord): void {
      put.run(user.id, user.name, user.guest ? 1 : 0, user.info, user.createdAtMs, user.lastSeenAtMs);
    },
    find(ids: string[]): (UserRecord | null)[] {
      return ids.map((id) => {
        const row = find.get(id) as UserRow | undefined;
        return row === undefined ? null : userOf(row);
      });
    },
    touch(ids: string[], atMs: number): void {
      for (const id of ids) touch.run(id, atMs);
    },
    removeStaleGuests(beforeMs: number, limit: number): string[] {
      const ids = (stale.all(beforeMs, limit) as { id: string }[]).map((row) => row.id);
      for (const id of ids) {
        remove.run(id);
        removeMemberships.run(id);
      }
      return ids;
    },
  };
}
