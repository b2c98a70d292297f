import { DatabaseSync } from "node:sqlite";
import { StoreUnavailable } from "../store.ts";

interface Table {
  /** Rows as MongoDB's documents: each column by the document's field. */
  sql: string;
  booleans?: readonly string[];
}

/** Everything but the log, which goes room by room. */
export const tables: Record<string, Table> = {
  rooms: {
    sql: `SELECT name AS _id, 1 AS rev, key, visibility, title, closed, receipts, retention_ms AS retentionMs,
      retention_entries AS retentionEntries, created_at AS createdAtMs, version FROM rooms`,
    booleans: ["closed", "receipts"],
  },
  members: {
    sql: `SELECT m.key || ':' || m.user AS _id, 1 AS rev, m.key, r.name AS room, m.user, m.role, m.member,
      m.muted_until AS mutedUntilMs, m.banned, m.joined_at AS joinedAtMs, m.last_read AS lastRead,
      m.last_read_count AS lastReadCount FROM members m JOIN rooms r ON r.key = m.key`,
    booleans: ["member", "banned"],
  },
  users: {
    sql: `SELECT id AS _id, 1 AS rev, name, guest, info, avatar_color AS avatarColor, phone, email,
      created_at AS createdAtMs, last_seen_at AS lastSeenAtMs FROM users`,
    booleans: ["guest"],
  },
  timers: {
    sql: `SELECT room AS _id, key, partition, state, duration AS durationMs, remaining AS remainingMs,
      ends_at AS endsAtMs, ended_at AS endedAtMs, settings, version FROM timers`,
  },
  tickets: {
    sql: `SELECT room AS _id, asker, asker_name AS askerName, subject, status, agent, rating, comment,
      client_key AS clientKey, opened_at AS openedAtMs, changed_at AS changedAtMs, version FROM tickets`,
  },
  notifications: {
    sql: `SELECT id AS _id, user, kind, title, body, data, dedupe_key AS dedupeKey, status, plan, count, position,
      read_at AS readAtMs, created_at AS createdAtMs, sent_at AS sentAtMs, due_at AS dueAtMs, version FROM notifications`,
  },
  preferences: { sql: "SELECT user AS _id, 1 AS rev, phone, body FROM preferences" },
  sms: {
    sql: `SELECT id AS _id, recipient AS "to", text, kind, on_unknown AS onUnknown, idempotency_key AS idempotencyKey,
      digest, status, attempts, provider, provider_id AS providerId, error, created_at AS createdAtMs,
      updated_at AS updatedAtMs, due_at AS dueAtMs, version FROM sms`,
  },
  smsOptOuts: { sql: "SELECT number AS _id, at AS atMs FROM sms_opt_outs" },
  revocations: { sql: "SELECT subject AS _id, before AS beforeMs FROM revocations" },
};

/** A document on its way. */
export interface Doc {
  _id: string;
  [field: string]: unknown;
}

export interface SqliteTables {
  rows(table: string): Iterable<Doc>;
  count(table: string): number;
  /** Names and keys of the rooms, by key. */
  rooms(): { name: string; key: number }[];
  close(): void;
}

/** Reads a file that a store has open too; its schema must be of this version. */
export function openTables(path: string): SqliteTables {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  } catch (error) {
    throw new StoreUnavailable(`The store's file ${path} can't be read`, { cause: error });
  }
  const sqlOf = (table: string): string => tables[table]!.sql;
  return {
    *rows(table) {
      const { sql, booleans = [] } = tables[table]!;
      for (const row of db.prepare(sql).iterate()) {
        const doc = { ...row } as Doc;
        for (const field of booleans) doc[field] = doc[field] === 1;
        yield doc;
      }
    },
    count: (table) => (db.prepare(`SELECT count(*) AS n FROM (${sqlOf(table)})`).get() as { n: number }).n,
    rooms: () => db.prepare("SELECT name, key FROM rooms ORDER BY key").all() as { name: string; key: number }[],
    close: () => db.close(),
  };
}
