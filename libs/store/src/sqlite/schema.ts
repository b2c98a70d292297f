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

  CREATE TABLE entries (
    key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    count INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    sender TEXT NOT NULL,
    client_message_id TEXT NOT NULL,
    digest INTEGER NOT NULL,
    at INTEGER NOT NULL,
    target INTEGER,
    deleted INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (key, seq)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX entries_by_id ON entries (key, sender, client_message_id);
  CREATE INDEX entries_by_sender ON entries (key, sender, kind, seq);
  CREATE INDEX entries_by_target ON entries (key, target, seq) WHERE target IS NOT NULL;

  -- Logs of rooms that are gone, whose rows are still to be removed.
  CREATE TABLE deleted_logs (key INTEGER PRIMARY KEY);

  -- Written by ping, to see that the store can be written to.
  CREATE TABLE pings (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL);
  INSERT INTO pings VALUES (1, 0);
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
