import {
  type AppendOutcome,
  type EntryKind,
  entryKinds,
  type LogHead,
  type RoomAppend,
  type StoredEntry,
} from "../room-log.ts";
import type { Connection } from "./connection.ts";

interface EntryRow {
  seq: number;
  count: number;
  kind: number;
  sender: string;
  client_message_id: string;
  digest: number;
  at: number;
  target: number | null;
  deleted: number;
  body: string;
}

const kindNames = new Map<number, EntryKind>(Object.entries(entryKinds).map(([name, n]) => [n, name as EntryKind]));
const entryColumns = "seq, count, kind, sender, client_message_id, digest, at, target, deleted, body";

function entryOf(row: EntryRow): StoredEntry {
  return {
    seq: row.seq,
    count: row.count,
    kind: kindNames.get(row.kind)!,
    sender: row.sender,
    clientMessageId: row.client_message_id,
    digest: row.digest,
    atMs: row.at,
    target: row.target,
    deleted: row.deleted === 1,
    body: row.body,
  };
}

/** RoomLog inside the thread; the port says what each does. */
export function logTable({ db }: Connection, roomExists: (key: number) => boolean) {
  const head = db.prepare("SELECT seq, count FROM entries WHERE key = ? ORDER BY seq DESC LIMIT 1");
  const first = db.prepare("SELECT seq, count, kind FROM entries WHERE key = ? ORDER BY seq LIMIT 1");
  const byId = db.prepare("SELECT seq, digest, at FROM entries WHERE key = ? AND sender = ? AND client_message_id = ?");
  const insert = db.prepare(`INSERT INTO entries (key, ${entryColumns}) VALUES (?,?,?,?,?,?,?,?,?,0,?)`);
  const redact = db.prepare("UPDATE entries SET body = ?, deleted = 1 WHERE key = ? AND seq = ?");
  const after = db.prepare("SELECT seq, body FROM entries WHERE key = ? AND seq > ? ORDER BY seq LIMIT ?");
  const before = db.prepare("SELECT seq, body FROM entries WHERE key = ? AND seq < ? ORDER BY seq DESC LIMIT ?");
  const one = db.prepare(`SELECT ${entryColumns} FROM entries WHERE key = ? AND seq = ?`);
  const edits = db.prepare(
    `SELECT ${entryColumns} FROM entries WHERE key = ? AND target = ? AND kind = 2 ORDER BY seq`,
  );
  const trim = db.prepare(
    "DELETE FROM entries WHERE (key, seq) IN (SELECT key, seq FROM entries WHERE key = ? AND seq < ? ORDER BY seq LIMIT ?)",
  );
  const since = db.prepare("SELECT seq FROM entries WHERE key = ? AND at >= ? ORDER BY seq LIMIT 1");
  const own = db.prepare("SELECT count(*) AS n FROM entries WHERE key = ? AND sender = ? AND kind = 1 AND seq > ?");
  const member = db.prepare("SELECT last_read, last_read_count FROM members WHERE key = ? AND user = ? AND member = 1");

  const headOf = (key: number): LogHead => {
    const newest = head.get(key) as { seq: number; count: number } | undefined;
    if (newest === undefined) return { seq: 0, count: 0, start: 1 };
    return { seq: newest.seq, count: newest.count, start: (first.get(key) as { seq: number }).seq };
  };

  function appendOne(append: RoomAppend): AppendOutcome {
    const { key, entries } = append;
    if (!roomExists(key)) return "conflict";
    let next = ((head.get(key) as { seq: number } | undefined)?.seq ?? 0) + 1;
    const ids = new Set<string>();
    for (const e of entries) {
      const id = `${e.clientMessageId} ${e.sender}`;
      if (e.seq !== next++ || ids.has(id) || byId.get(key, e.sender, e.clientMessageId) !== undefined)
        return "conflict";
      ids.add(id);
    }
    for (const e of entries) {
      insert.run(
        key,
        e.seq,
        e.count,
        entryKinds[e.kind],
        e.sender,
        e.clientMessageId,
        e.digest,
        e.atMs,
        e.target,
        e.body,
      );
    }
    for (const r of append.redactions ?? []) redact.run(r.body, key, r.seq);
    return "appended";
  }

  return {
    append: (appends: RoomAppend[]): AppendOutcome[] => appends.map(appendOne),
    heads: (keys: number[]): LogHead[] => keys.map(headOf),
    readAfter: (key: number, seq: number, limit: number) =>
      after.all(key, seq, limit) as unknown as { seq: number; body: string }[],
    readBefore: (key: number, seq: number | null, limit: number) =>
      (before.all(key, seq ?? Number.MAX_SAFE_INTEGER, limit) as unknown as { seq: number; body: string }[]).reverse(),
    get(key: number, seq: number): StoredEntry | null {
      const row = one.get(key, seq) as EntryRow | undefined;
      return row === undefined ? null : entryOf(row);
    },
    find(key: number, ids: { sender: string; clientMessageId: string }[]) {
      return ids.map(({ sender, clientMessageId }) => {
        const row = byId.get(key, sender, clientMessageId) as { seq: number; digest: number; at: number } | undefined;
        return row === undefined ? null : { seq: row.seq, digest: row.digest, atMs: row.at };
      });
    },
    editsOf: (key: number, target: number): StoredEntry[] =>
      (edits.all(key, target) as unknown as EntryRow[]).map(entryOf),
    trim(key: number, keepFromSeq: number, limit: number): number {
      const below = Math.min(keepFromSeq, headOf(key).seq);
      return Number(trim.run(key, below, limit).changes);
    },
    firstSince(key: number, atMs: number): number {
      const row = since.get(key, atMs) as { seq: number } | undefined;
      return row?.seq ?? headOf(key).seq + 1;
    },
    unread(items: { key: number; user: string }[]): number[] {
      return items.map(({ key, user }) => {
        const mark = member.get(key, user) as { last_read: number; last_read_count: number } | undefined;
        const newest = head.get(key) as { seq: number; count: number } | undefined;
        if (mark === undefined || newest === undefined) return 0;
        const oldest = first.get(key) as { seq: number; count: number; kind: number };
        const forgotten = mark.last_read < oldest.seq - 1;
        const seq = forgotten ? oldest.seq - 1 : mark.last_read;
        const count = forgotten ? oldest.count - Number(oldest.kind === entryKinds.message) : mark.last_read_count;
        const { n } = own.get(key, user, seq) as { n: number };
        return Math.max(0, newest.count - count - n);
      });
    },
  };
}
