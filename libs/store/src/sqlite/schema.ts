import type { Connection } from "./connection.ts";

/** Each takes the schema one version on; what was released is never edited. PRAGMA user_version says how many ran. */
const migrations = [
  `
  CREATE TABLE rooms (
    name TEXT PRIMARY KEY,
    key INTEGER NOT NULL UNIQUE,
    visibility TEXT NOT NULL,
    title TEXT,
    closed INTEGER NOT NULL,
    receipts INTEGER NOT NULL,
    retention_ms INTEGER,
    retention_entries INTEGER,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX rooms_retained ON rooms (name) WHERE retention_ms IS NOT NULL OR retention_entries IS NOT NULL;

  CREATE TABLE members (
    key INTEGER NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    member INTEGER NOT NULL,
    muted_until INTEGER NOT NULL,
    banned INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    last_read INTEGER NOT NULL,
    last_read_count INTEGER NOT NULL,
    PRIMARY KEY (key, user)
  ) WITHOUT ROWID;
  CREATE INDEX members_by_user ON members (user);

  CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    guest INTEGER NOT NULL,
    info TEXT,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX guests_by_last_seen ON users (last_seen_at, id) WHERE guest = 1;

  -- What happened to the logs, in order, one row a transaction (batch.ts has its form), until it is folded into blocks:
  -- appending here writes few pages however many rooms a transaction is about.
  CREATE TABLE journal (id INTEGER PRIMARY KEY, batch BLOB NOT NULL);
  -- The journal up to and with \`folded\` is in the tables below, and removed. The salt is that of the ids' hashes.
  CREATE TABLE log_state (id INTEGER PRIMARY KEY CHECK (id = 1), folded INTEGER NOT NULL, salt INTEGER NOT NULL);
  INSERT INTO log_state VALUES (1, 0, abs(random() % 2147483647));

  -- Entries \`first\` to \`last\` of a log, as records one after the other (batch.ts); \`count\` is that of \`last\`.
  CREATE TABLE blocks (
    key INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    max_at INTEGER NOT NULL,
    records BLOB NOT NULL,
    PRIMARY KEY (key, first)
  ) WITHOUT ROWID;
  -- Which entry may have a sender's clientMessageId, by a hash of both.
  CREATE TABLE ids (
    key INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, hash, seq)
  ) WITHOUT ROWID;
  -- For each sender and fold, in the block it wrote: the seq of the sender's last message, and how many there were by then.
  CREATE TABLE sent (
    key INTEGER NOT NULL,
    sender TEXT NOT NULL,
    seq INTEGER NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (key, sender, seq)
  ) WITHOUT ROWID;
  CREATE TABLE edits (
    key INTEGER NOT NULL,
    target INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, target, seq)
  ) WITHOUT ROWID;

  -- Logs of rooms that are gone, whose rows are still to be removed.
  CREATE TABLE deleted_logs (key INTEGER PRIMARY KEY);

  -- Written by ping, to see that the store can be written to.
  CREATE TABLE pings (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL);
  INSERT INTO pings VALUES (1, 0);
  `,
  `
  CREATE TABLE sms (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    text TEXT NOT NULL,
    kind TEXT NOT NULL,
    on_unknown TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    provider TEXT,
    provider_id TEXT,
    error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    due_at INTEGER,
    version INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX sms_by_status ON sms (status, id);
  CREATE INDEX sms_by_provider_id ON sms (provider, provider_id) WHERE provider_id IS NOT NULL;
  CREATE INDEX sms_due ON sms (due_at, id) WHERE due_at IS NOT NULL;
  CREATE INDEX sms_by_recipient ON sms (recipient, created_at);
  CREATE INDEX sms_ended ON sms (created_at) WHERE due_at IS NULL;
  CREATE TABLE sms_opt_outs (number TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;

  CREATE TABLE notifications (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    data TEXT,
    dedupe_key TEXT NOT NULL,
    status TEXT NOT NULL,
    plan TEXT NOT NULL,
    count INTEGER NOT NULL,
    position TEXT,
    read_at INTEGER,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    due_at INTEGER,
    version INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX notifications_by_key ON notifications (user, dedupe_key);
  CREATE INDEX notifications_listed ON notifications (user, position) WHERE position IS NOT NULL;
  CREATE INDEX notifications_unread ON notifications (user, position) WHERE position IS NOT NULL AND read_at IS NULL;
  CREATE INDEX notifications_by_kind ON notifications (user, kind, status, id);
  CREATE INDEX notifications_by_status ON notifications (status);
  CREATE INDEX notifications_due ON notifications (due_at, id) WHERE due_at IS NOT NULL;
  CREATE INDEX notifications_ended ON notifications (created_at) WHERE due_at IS NULL;
  CREATE TABLE preferences (user TEXT PRIMARY KEY, phone TEXT, body TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX preferences_by_phone ON preferences (phone, user) WHERE phone IS NOT NULL;

  CREATE TABLE tickets (
    room TEXT PRIMARY KEY,
    asker TEXT NOT NULL,
    asker_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    status TEXT NOT NULL,
    agent TEXT,
    rating INTEGER,
    comment TEXT,
    opened_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    version INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX tickets_by_status ON tickets (status, room);
  CREATE INDEX tickets_by_asker ON tickets (asker, status, room);
  CREATE INDEX tickets_by_change ON tickets (changed_at, room);
  `,
  `
  ALTER TABLE users ADD COLUMN avatar_color TEXT;
  ALTER TABLE users ADD COLUMN phone TEXT;
  ALTER TABLE users ADD COLUMN email TEXT;
  `,
  `
  CREATE TABLE timers (
    room TEXT PRIMARY KEY,
    key INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    state TEXT NOT NULL,
    duration INTEGER NOT NULL,
    remaining INTEGER NOT NULL,
    ends_at INTEGER,
    ended_at INTEGER,
    settings TEXT NOT NULL,
    version INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX timers_running ON timers (partition) WHERE ends_at IS NOT NULL;
  CREATE INDEX timers_ended ON timers (partition, ended_at) WHERE ended_at IS NOT NULL AND ends_at IS NULL;
  `,
  `
  CREATE TABLE revocations (subject TEXT PRIMARY KEY, before INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  ALTER TABLE tickets ADD COLUMN client_key TEXT NOT NULL DEFAULT '';
  UPDATE tickets SET client_key = 'room:' || room;
  CREATE UNIQUE INDEX tickets_by_client_key ON tickets (asker, client_key);
  `,
];

/** Brings the file to this version's schema; safe when several processes do so at once. */
export function migrate(connection: Connection): void {
  connection.write(() => {
    const { user_version: version } = connection.db.prepare("PRAGMA user_version").get() as { user_version: number };
    if (version > migrations.length) {
      throw new Error(
        `The store's file has schema ${version}, this Parley knows up to ${migrations.length}: run the newer Parley that made it`,
      );
    }
    for (const migration of migrations.slice(version)) connection.db.exec(migration);
    if (version < migrations.length) connection.db.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}
