import type { UserChanges, UserRecord } from "../users.ts";
import type { Connection } from "./connection.ts";

interface UserRow {
  id: string;
  name: string;
  guest: number;
  info: string | null;
  avatar_color: string | null;
  phone: string | null;
  email: string | null;
  created_at: number;
  last_seen_at: number;
}

function userOf(row: UserRow): UserRecord {
  return {
    id: row.id,
    name: row.name,
    guest: row.guest === 1,
    info: row.info,
    avatarColor: row.avatar_color,
    phone: row.phone,
    email: row.email,
    createdAtMs: row.created_at,
    lastSeenAtMs: row.last_seen_at,
  };
}

/** UserStore inside the thread; the port says what each does. */
export function usersTable({ db }: Connection) {
  const insert = `INSERT INTO users
    (id, name, guest, info, avatar_color, phone, email, created_at, last_seen_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO`;
  const put = db.prepare(
    `${insert} UPDATE SET name = excluded.name, guest = excluded.guest, info = excluded.info,
       avatar_color = excluded.avatar_color, phone = excluded.phone, email = excluded.email,
       created_at = excluded.created_at, last_seen_at = excluded.last_seen_at`,
  );
  const create = db.prepare(`${insert} NOTHING`);
  const find = db.prepare("SELECT * FROM users WHERE id = ?");
  const touch = db.prepare("UPDATE users SET last_seen_at = ?2 WHERE id = ?1 AND last_seen_at < ?2");
  const stale = db.prepare(
    "SELECT id FROM users WHERE guest = 1 AND last_seen_at < ? ORDER BY last_seen_at, id LIMIT ?",
  );
  const remove = db.prepare("DELETE FROM users WHERE id = ?");
  const removeMemberships = db.prepare("DELETE FROM members WHERE user = ?");

  const valuesOf = (user: UserRecord) =>
    [
      ...[user.id, user.name, user.guest ? 1 : 0, user.info, user.avatarColor, user.phone, user.email],
      ...[user.createdAtMs, user.lastSeenAtMs],
    ] as const;
  const findOne = (id: string): UserRecord | null => {
    const row = find.get(id) as UserRow | undefined;
    return row === undefined ? null : userOf(row);
  };

  return {
    put(user: UserRecord): void {
      put.run(...valuesOf(user));
    },
    create(user: UserRecord): { user: UserRecord; created: boolean } {
      const created = create.run(...valuesOf(user)).changes === 1;
      return { user: findOne(user.id) ?? user, created };
    },
    change(id: string, changes: UserChanges): UserRecord | null {
      const known = findOne(id);
      if (known === null) return null;
      const changed = { ...known, ...changes };
      put.run(...valuesOf(changed));
      return changed;
    },
    find: (ids: string[]): (UserRecord | null)[] => ids.map(findOne),
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
