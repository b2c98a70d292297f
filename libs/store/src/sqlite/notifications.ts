import type {
  NotificationChanges,
  NotificationRecord,
  NotificationStatus,
  PreferencesRecord,
} from "../notifications.ts";
import { recordTable } from "./columns.ts";
import type { Connection } from "./connection.ts";

type Row = NotificationRecord;

/** NotificationStore inside the thread; the port says what each does. */
export function notificationsTable({ db }: Connection) {
  const table = recordTable<Row>(db, "notifications", "id", {
    id: "id",
    user: "user",
    kind: "kind",
    title: "title",
    body: "body",
    data: "data",
    dedupeKey: "dedupe_key",
    status: "status",
    plan: "plan",
    count: "count",
    position: "position",
    readAtMs: "read_at",
    createdAtMs: "created_at",
    sentAtMs: "sent_at",
    dueAtMs: "due_at",
    version: "version",
  });
  const unreadOnes = "user = ?1 AND position IS NOT NULL AND read_at IS NULL";
  const byKey = db.prepare(`${table.select} WHERE user = ? AND dedupe_key = ?`);
  const list = db.prepare(
    `${table.select} WHERE user = ?1 AND position IS NOT NULL AND (?2 IS NULL OR position < ?2)
     ORDER BY position DESC LIMIT ?3`,
  );
  const listUnread = db.prepare(
    `${table.select} WHERE ${unreadOnes} AND (?2 IS NULL OR position < ?2) ORDER BY position DESC LIMIT ?3`,
  );
  const unread = db.prepare(`SELECT count(*) AS n FROM notifications WHERE ${unreadOnes}`);
  const markOne = db.prepare(
    `UPDATE notifications SET read_at = ?2, version = version + 1 WHERE ${unreadOnes} AND id = ?3`,
  );
  const markAll = db.prepare(`UPDATE notifications SET read_at = ?2, version = version + 1 WHERE ${unreadOnes}`);
  const ofKind = db.prepare(`${table.select} WHERE user = ? AND kind = ? AND status = ? ORDER BY id DESC LIMIT ?`);
  const allOf = db.prepare(`${table.select} WHERE user = ?1 AND (?2 IS NULL OR id > ?2) ORDER BY id LIMIT ?3`);
  const due = db.prepare(
    `${table.select} WHERE due_at <= ?1 AND due_at >= ?2 AND (due_at > ?2 OR id > ?3) ORDER BY due_at, id LIMIT ?4`,
  );
  const count = db.prepare("SELECT count(*) AS n FROM notifications WHERE status = ?");
  const removeOld = db.prepare(
    `DELETE FROM notifications WHERE id IN
       (SELECT id FROM notifications WHERE created_at < ? AND due_at IS NULL LIMIT ?)`,
  );
  const preferences = db.prepare("SELECT user, phone, body FROM preferences WHERE user = ?");
  const putPreferences = db.prepare("INSERT OR REPLACE INTO preferences (user, phone, body) VALUES (?, ?, ?)");
  const withPhone = db.prepare("SELECT user FROM preferences WHERE phone = ? ORDER BY user LIMIT ?");

  const findByKey = (user: string, key: string): Row | null => (byKey.get(user, key) as Row | undefined) ?? null;

  const forgetAll = db.prepare("DELETE FROM notifications WHERE user = ?");
  const forgetPreferences = db.prepare("DELETE FROM preferences WHERE user = ?");

  return {
    forget(user: string): void {
      forgetAll.run(user);
      forgetPreferences.run(user);
    },
    create(record: Row): { record: Row; created: boolean } {
      const known = findByKey(record.user, record.dedupeKey);
      if (known !== null) return { record: known, created: false };
      table.insert(record);
      return { record, created: true };
    },
    find: table.find,
    findByKey,
    change: (id: string, version: number, changes: NotificationChanges): Row | null =>
      table.change(id, version, changes),
    list: (user: string, options: { before: string | null; limit: number; unreadOnly: boolean }): Row[] =>
      (options.unreadOnly ? listUnread : list).all(user, options.before, options.limit) as unknown as Row[],
    unread: (user: string): number => (unread.get(user) as { n: number }).n,
    markRead: (user: string, id: string | null, atMs: number): number =>
      Number((id === null ? markAll.run(user, atMs) : markOne.run(user, atMs, id)).changes),
    ofKind: (user: string, kind: string, status: NotificationStatus, limit: number): Row[] =>
      ofKind.all(user, kind, status, limit) as unknown as Row[],
    allOf: (user: string, options: { after: string | null; limit: number }): Row[] =>
      allOf.all(user, options.after, options.limit) as unknown as Row[],
    due: (atMs: number, options: { after: { dueAtMs: number; id: string } | null; limit: number }): Row[] =>
      due.all(atMs, options.after?.dueAtMs ?? -1, options.after?.id ?? "", options.limit) as unknown as Row[],
    count: (status: NotificationStatus): number => (count.get(status) as { n: number }).n,
    removeOld: (createdBeforeMs: number, limit: number): number =>
      Number(removeOld.run(createdBeforeMs, limit).changes),
    preferences: (user: string): PreferencesRecord | null =>
      (preferences.get(user) as PreferencesRecord | undefined) ?? null,
    putPreferences: ({ user, phone, body }: PreferencesRecord): void => void putPreferences.run(user, phone, body),
    usersWithPhone: (phone: string, limit: number): string[] =>
      (withPhone.all(phone, limit) as { user: string }[]).map((row) => row.user),
  };
}
