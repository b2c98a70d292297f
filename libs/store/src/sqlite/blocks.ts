import type { StatementSync } from "node:sqlite";
import { entryKinds } from "../room-log.ts";
import {
  type Batch,
  batchOf,
  recordAtMs,
  recordBytes,
  recordCount,
  recordKind,
  recordSender,
  recordSeq,
  recordTarget,
  redactedRecord,
} from "./batch.ts";
import type { Connection } from "./connection.ts";

/** Where a record lies. */
export interface RecordRef {
  batch: Batch;
  at: number;
  /** hashId of it. */
  hash: number;
}

interface BlockRow {
  first: number;
  last: number;
  count: number;
  max_at: number;
  records: Uint8Array;
}

/** A block has no more than this, so that a redaction or a trim rewrites little. */
const maxBlockEntries = 256;
const maxBlockBytes = 65_536;
/** A last block smaller than a page grows instead of getting a neighbour: its page is written anyhow. */
const growBelowBytes = 4_096;

/** Rows of `ids` that go in with one statement. */
const idRows = 32;

const isMessage = (batch: Batch, at: number): boolean => recordKind(batch, at) === entryKinds.message;

/** Calls `visit` with the place of each record, in order, until it answers false. */
function eachRecord(records: Batch, visit: (at: number) => boolean): void {
  for (let at = 0; at < records.bytes.length; at += recordBytes(records, at)) {
    if (!visit(at)) return;
  }
}

/** Where in the block `seq` is. */
function placeOf(records: Batch, seq: number): number {
  let found = 0;
  eachRecord(records, (at) => {
    found = at;
    return recordSeq(records, at) < seq;
  });
  return found;
}

/** The logs' entries in the form in which they stay: blocks by room, and what finds entries in them. */
export function blocksTable({ db }: Connection, hashOf: (batch: Batch, at: number) => number) {
  const columns = "first, last, count, max_at, records";
  const newest = db.prepare(
    "SELECT first, last, count, length(records) AS bytes FROM blocks WHERE key = ? ORDER BY first DESC LIMIT 1",
  );
  const oldest = db.prepare("SELECT first FROM blocks WHERE key = ? ORDER BY first LIMIT 1");
  const holding = db.prepare(`SELECT ${columns} FROM blocks WHERE key = ? AND first <= ? ORDER BY first DESC LIMIT 1`);
  const following = db.prepare(`SELECT ${columns} FROM blocks WHERE key = ? AND first > ? ORDER BY first LIMIT 1`);
  const put = db.prepare(`INSERT OR REPLACE INTO blocks (key, ${columns}) VALUES (?, ?, ?, ?, ?, ?)`);
  const remove = db.prepare("DELETE FROM blocks WHERE key = ? AND first = ?");
  const since = db.prepare(`SELECT ${columns} FROM blocks WHERE key = ? AND max_at >= ? ORDER BY first LIMIT 1`);

  const idInserts = new Map<number, StatementSync>();
  const seqOfId = db.prepare("SELECT seq FROM ids WHERE key = ? AND hash = ? AND seq > ? ORDER BY seq LIMIT 1");
  const removeId = db.prepare("DELETE FROM ids WHERE key = ? AND hash = ? AND seq = ?");

  const putSent = db.prepare(
    `INSERT INTO sent (key, sender, seq, total) VALUES (?1, ?2, ?3, ?4 + coalesce(
       (SELECT total FROM sent WHERE key = ?1 AND sender = ?2 ORDER BY seq DESC LIMIT 1), 0))`,
  );
  const nextSent = db.prepare(
    "SELECT seq, total FROM sent WHERE key = ? AND sender = ? AND seq > ? ORDER BY seq LIMIT 1",
  );
  const lastSent = db.prepare("SELECT seq, total FROM sent WHERE key = ? AND sender = ? ORDER BY seq DESC LIMIT 1");
  const removeSent = db.prepare("DELETE FROM sent WHERE key = ? AND sender = ? AND seq < ?");

  const putEdit = db.prepare("INSERT INTO edits (key, target, seq) VALUES (?, ?, ?)");
  const edits = db.prepare("SELECT seq FROM edits WHERE key = ? AND target = ? ORDER BY seq");
  const removeEdit = db.prepare("DELETE FROM edits WHERE key = ? AND target = ? AND seq = ?");

  const primaryKeys = {
    blocks: "key, first",
    ids: "key, hash, seq",
    sent: "key, sender, seq",
    edits: "key, target, seq",
  };
  const purges = Object.entries(primaryKeys).map(([table, columns]) =>
    db.prepare(`DELETE FROM ${table} WHERE (${columns}) IN (SELECT ${columns} FROM ${table} WHERE key = ? LIMIT ?)`),
  );

  const blockHolding = (key: number, seq: number): BlockRow | null => {
    const row = holding.get(key, seq) as unknown as BlockRow | undefined;
    return row !== undefined && row.last >= seq ? row : null;
  };

  function insertIds(key: number, refs: RecordRef[]): void {
    // In the order of the index: neighbours go to one page.
    const sorted = [...refs].sort((a, b) => a.hash - b.hash);
    for (let i = 0; i < sorted.length; i += idRows) {
      const part = sorted.slice(i, i + idRows);
      let insert = idInserts.get(part.length);
      if (insert === undefined) {
        insert = db.prepare(`INSERT INTO ids (key, hash, seq) VALUES ${part.map(() => "(?, ?, ?)").join(", ")}`);
        idInserts.set(part.length, insert);
      }
      insert.run(...part.flatMap(({ batch, at, hash }) => [key, hash, recordSeq(batch, at)]));
    }
  }

  /** Writes one block of `grown` (a block's records so far, or none) and `refs` behind them. */
  function putBlock(key: number, grown: BlockRow | null, refs: RecordRef[]): void {
    const { batch, at } = refs[0]!;
    const { batch: lastBatch, at: lastAt } = refs.at(-1)!;
    let maxAtMs = grown?.max_at ?? Number.NEGATIVE_INFINITY;
    const sent = new Map<string, { seq: number; n: number }>();
    const pieces: Uint8Array[] = grown === null ? [] : [grown.records];
    for (const { batch, at } of refs) {
      const seq = recordSeq(batch, at);
      pieces.push(batch.bytes.subarray(at, at + recordBytes(batch, at)));
      maxAtMs = Math.max(maxAtMs, recordAtMs(batch, at));
      if (isMessage(batch, at)) {
        const sender = recordSender(batch, at);
        sent.set(sender, { seq, n: (sent.get(sender)?.n ?? 0) + 1 });
      } else if (recordKind(batch, at) === entryKinds.edited) {
        putEdit.run(key, recordTarget(batch, at), seq);
      }
    }
    put.run(
      key,
      grown?.first ?? recordSeq(batch, at),
      recordSeq(lastBatch, lastAt),
      recordCount(lastBatch, lastAt),
      maxAtMs,
      Buffer.concat(pieces),
    );
    for (const [sender, { seq, n }] of sent) putSent.run(key, sender, seq, n);
  }

  /** Writes a block anew with other records, of which the first may be another. */
  function rewrite(key: number, row: BlockRow, records: Buffer): void {
    const first = recordSeq(batchOf(records, 0), 0);
    if (first !== row.first) remove.run(key, row.first);
    put.run(key, first, row.last, row.count, row.max_at, records);
  }

  return {
    /** The newest and the oldest block of a log, if it has any. */
    newest: (key: number) => newest.get(key) as { last: number; count: number } | undefined,
    oldest: (key: number) => oldest.get(key) as { first: number } | undefined,

    /** Adds records which follow what is there. */
    append(key: number, refs: RecordRef[]): void {
      const last = newest.get(key) as { first: number; bytes: number } | undefined;
      let grown = last !== undefined && last.bytes < growBelowBytes ? blockHolding(key, last.first) : null;
      for (let from = 0; from < refs.length; ) {
        let entries = grown === null ? 0 : grown.last - grown.first + 1;
        let bytes = grown?.records.length ?? 0;
        let to = from;
        while (to < refs.length && (to === from || (entries < maxBlockEntries && bytes < maxBlockBytes))) {
          bytes += recordBytes(refs[to]!.batch, refs[to]!.at);
          entries++;
          to++;
        }
        putBlock(key, grown, refs.slice(from, to));
        grown = null;
        from = to;
      }
      insertIds(key, refs);
    },

    /** The entry `seq`, or null. */
    locate(key: number, seq: number): { batch: Batch; at: number } | null {
      const row = blockHolding(key, seq);
      if (row === null) return null;
      const batch = batchOf(row.records, 0);
      return { batch, at: placeOf(batch, seq) };
    },

    /** The first seq > after of an entry whose id has this hash, or null: almost always the only one. */
    seqOfId: (key: number, hash: number, after: number): number | null =>
      (seqOfId.get(key, hash, after) as { seq: number } | undefined)?.seq ?? null,

    /** Visits the records with seq > after, ascending, until `visit` answers false. */
    eachAfter(key: number, after: number, visit: (batch: Batch, at: number) => boolean): void {
      let row: BlockRow | undefined | null = blockHolding(key, after + 1);
      row ??= following.get(key, after) as unknown as BlockRow | undefined;
      for (; row !== undefined; row = following.get(key, row.first) as unknown as BlockRow | undefined) {
        const batch = batchOf(row.records, 0);
        let goOn = true;
        eachRecord(batch, (at) => {
          if (recordSeq(batch, at) > after) goOn = visit(batch, at);
          return goOn;
        });
        if (!goOn) return;
      }
    },

    /** Visits the records with seq < before, descending, until `visit` answers false. */
    eachBefore(key: number, before: number, visit: (batch: Batch, at: number) => boolean): void {
      let row = holding.get(key, before - 1) as unknown as BlockRow | undefined;
      for (; row !== undefined; row = holding.get(key, row.first - 1) as unknown as BlockRow | undefined) {
        const batch = batchOf(row.records, 0);
        const places: number[] = [];
        eachRecord(batch, (at) => recordSeq(batch, at) < before && places.push(at) > 0);
        while (places.length > 0) if (!visit(batch, places.pop()!)) return;
      }
    },

    /** Replaces the body of `seq` by that of another record, if it is there. */
    redact(key: number, seq: number, other: Batch, otherAt: number): void {
      const row = blockHolding(key, seq);
      if (row === null) return;
      const batch = batchOf(row.records, 0);
      const at = placeOf(batch, seq);
      const { bytes } = batch;
      const record = redactedRecord(batch, at, other, otherAt);
      rewrite(
        key,
        row,
        Buffer.concat([bytes.subarray(0, at), record.bytes, bytes.subarray(at + recordBytes(batch, at))]),
      );
    },

    /** Removes the entries below `keepFromSeq`. */
    trim(key: number, keepFromSeq: number): void {
      for (;;) {
        const row = following.get(key, -1) as unknown as BlockRow | undefined;
        if (row === undefined || row.first >= keepFromSeq) return;
        const batch = batchOf(row.records, 0);
        let cut = batch.bytes.length;
        const senders = new Set<string>();
        eachRecord(batch, (at) => {
          const seq = recordSeq(batch, at);
          if (seq >= keepFromSeq) {
            cut = at;
            return false;
          }
          removeId.run(key, hashOf(batch, at), seq);
          if (isMessage(batch, at)) senders.add(recordSender(batch, at));
          else if (recordKind(batch, at) === entryKinds.edited) removeEdit.run(key, recordTarget(batch, at), seq);
          return true;
        });
        for (const sender of senders) removeSent.run(key, sender, keepFromSeq);
        if (cut === batch.bytes.length) remove.run(key, row.first);
        else rewrite(key, row, batch.bytes.subarray(cut));
      }
    },

    edits: (key: number, target: number): number[] =>
      (edits.all(key, target) as { seq: number }[]).map((row) => row.seq),

    /** How many messages with seq > after the sender has here, and the seq up to which that is so. */
    sentSince(key: number, sender: string, after: number): { sent: number; upTo: number } {
      const next = nextSent.get(key, sender, after) as { seq: number; total: number } | undefined;
      if (next === undefined) return { sent: 0, upTo: after };
      const last = lastSent.get(key, sender) as { seq: number; total: number };
      let sent = last.total - next.total;
      // A sender's messages between two rows of `sent` are all in the block of the later one.
      const batch = batchOf(blockHolding(key, next.seq)!.records, 0);
      eachRecord(batch, (at) => {
        const seq = recordSeq(batch, at);
        if (seq > after && isMessage(batch, at) && recordSender(batch, at) === sender) sent++;
        return seq < next.seq;
      });
      return { sent, upTo: last.seq };
    },

    /** The lowest seq with atMs >= atMs, or null. */
    firstSince(key: number, atMs: number): number | null {
      const row = since.get(key, atMs) as unknown as BlockRow | undefined;
      if (row === undefined) return null;
      const batch = batchOf(row.records, 0);
      let found = row.last;
      eachRecord(batch, (at) => {
        found = recordSeq(batch, at);
        return recordAtMs(batch, at) < atMs;
      });
      return found;
    },

    /** Removes up to `rows` rows of each kind; answers whether that was all. */
    purge(key: number, rows: number): boolean {
      return purges.map((purge) => Number(purge.run(key, rows).changes)).every((changes) => changes < rows);
    },
  };
}

export type BlocksTable = ReturnType<typeof blocksTable>;
