import type { SmsChanges, SmsRecord, SmsStatus } from "../sms.ts";
import { recordTable } from "./columns.ts";
import type { Connection } from "./connection.ts";

/** SmsStore inside the thread; the port says what each does. */
export function smsTable({ db }: Connection) {
  const table = recordTable<SmsRecord>(db, "sms", "id", {
    id: "id",
    to: "recipient",
    text: "text",
    kind: "kind",
    onUnknown: "on_unknown",
    idempotencyKey: "idempotency_key",
    digest: "digest",
    status: "status",
    attempts: "attempts",
    provider: "provider",
    providerId: "provider_id",
    error: "error",
    createdAtMs: "created_at",
    updatedAtMs: "updated_at",
    dueAtMs: "due_at",
    version: "version",
  });
  const byKey = db.prepare(`${table.select} WHERE idempotency_key = ?`);
  const byProviderId = db.prepare(`${table.select} WHERE provider = ? AND provider_id = ?`);
  const list = db.prepare(`${table.select} WHERE status = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3`);
  const due = db.prepare(
    `${table.select} WHERE due_at <= ?1 AND due_at >= ?2 AND (due_at > ?2 OR id > ?3) ORDER BY due_at, id LIMIT ?4`,
  );
  const count = db.prepare("SELECT count(*) AS n FROM sms WHERE status = ?");
  const countTo = db.prepare("SELECT count(*) AS n FROM sms WHERE recipient = ? AND created_at >= ?");
  const listTo = db.prepare(`${table.select} WHERE recipient = ?1 AND (?2 IS NULL OR id > ?2) ORDER BY id LIMIT ?3`);
  const removeOld = db.prepare(
    "DELETE FROM sms WHERE id IN (SELECT id FROM sms WHERE created_at < ? AND due_at IS NULL LIMIT ?)",
  );
  const addOptOut = db.prepare("INSERT OR IGNORE INTO sms_opt_outs (number, at) VALUES (?, ?)");
  const removeOptOut = db.prepare("DELETE FROM sms_opt_outs WHERE number = ?");
  const optOut = db.prepare("SELECT 1 FROM sms_opt_outs WHERE number = ?");

  const findByKey = (key: string): SmsRecord | null => (byKey.get(key) as SmsRecord | undefined) ?? null;

  const forget = db.prepare("DELETE FROM sms WHERE recipient = ?");

  return {
    forget: (to: string): void => void forget.run(to),
    create(record: SmsRecord): { record: SmsRecord; created: boolean } {
      const known = findByKey(record.idempotencyKey);
      if (known !== null) return { record: known, created: false };
      table.insert(record);
      return { record, created: true };
    },
    find: table.find,
    findByKey,
    findByProviderId: (provider: string, providerId: string): SmsRecord | null =>
      (byProviderId.get(provider, providerId) as SmsRecord | undefined) ?? null,
    change: (id: string, version: number, changes: SmsChanges): SmsRecord | null => table.change(id, version, changes),
    list: (options: { status: SmsStatus; before: string | null; limit: number }): SmsRecord[] =>
      list.all(options.status, options.before, options.limit) as unknown as SmsRecord[],
    due: (atMs: number, options: { after: { dueAtMs: number; id: string } | null; limit: number }): SmsRecord[] =>
      due.all(atMs, options.after?.dueAtMs ?? -1, options.after?.id ?? "", options.limit) as unknown as SmsRecord[],
    count: (status: SmsStatus): number => (count.get(status) as { n: number }).n,
    countTo: (to: string, sinceMs: number): number => (countTo.get(to, sinceMs) as { n: number }).n,
    listTo: (to: string, options: { after: string | null; limit: number }): SmsRecord[] =>
      listTo.all(to, options.after, options.limit) as unknown as SmsRecord[],
    removeOld: (createdBeforeMs: number, limit: number): number =>
      Number(removeOld.run(createdBeforeMs, limit).changes),
    addOptOut: (number: string, atMs: number): void => void addOptOut.run(number, atMs),
    removeOptOut: (number: string): boolean => removeOptOut.run(number).changes > 0,
    isOptedOut: (number: string): boolean => optOut.get(number) !== undefined,
  };
}
