import {
  type Batch,
  batchOf,
  hashId,
  recordBytes,
  recordCount,
  recordSeq,
  redactedRecord,
  sectionHeaderBytes,
  sectionTypes,
} from "./batch.ts";
import { type BlocksTable, blocksTable, type RecordRef } from "./blocks.ts";
import type { Connection } from "./connection.ts";

/** What the thread holds of a log; everything older is in the blocks. */
export interface Log {
  readonly key: number;
  /** The head. */
  seq: number;
  count: number;
  /** Of the oldest entry kept; null when not looked up yet. */
  start: number | null;
  /** Entries which are in the journal, up to the head with none missing. The first of them may be in the blocks too. */
  fresh: RecordRef[];
  /** The hashes of their ids. */
  freshIds: Set<number>;
  /** Its room was there when last looked for, and no deletion has been seen since. */
  exists: boolean;
}

/** Logs of which the heads are remembered. */
const maxLogs = 20_000;

/**
 * The journal: what happened to the logs lately, in the file for all processes, and in memory in a form that can be asked.
 * Each process reads what the others added (catchUp), so its memory is what the file says at the transaction's snapshot.
 */
export function journalTable(connection: Connection) {
  const { db } = connection;
  const { salt } = db.prepare("SELECT salt FROM log_state").get() as { salt: number };
  const hashOf = (batch: Batch, at: number): number => hashId(batch, at, salt);
  const blocks: BlocksTable = blocksTable(connection, hashOf);

  const dataVersion = db.prepare("PRAGMA data_version");
  const foldedTo = db.prepare("SELECT folded FROM log_state");
  const rowsAfter = db.prepare("SELECT id, batch FROM journal WHERE id > ? ORDER BY id");
  const insert = db.prepare("INSERT INTO journal (id, batch) VALUES (?, ?)");
  const removeTo = db.prepare("DELETE FROM journal WHERE id <= ?");
  const setFolded = db.prepare("UPDATE log_state SET folded = max(folded, ?)");

  const logs = new Map<number, Log>();
  /** Logs with fresh entries. */
  const unfolded = new Set<Log>();
  let entries = 0;
  /** The journal's rows that are not removed yet, and the bytes of all. */
  let rows: { id: number; bytes: number }[] = [];
  let bytes = 0;
  let lastId = 0;
  let folded = 0;
  let knownVersion: number | null = null;
  /** What this transaction adds. */
  let added: { batch: Batch; from: number; to: number }[] = [];
  /** Batches that get the id of the row which this transaction adds. */
  let unnumbered: Batch[] = [];

  function forget(): void {
    logs.clear();
    unfolded.clear();
    entries = 0;
    rows = [];
    bytes = 0;
    lastId = 0;
    folded = 0;
    knownVersion = null;
    added = [];
    unnumbered = [];
  }

  const emptyLog = (key: number): Log => ({
    key,
    seq: 0,
    count: 0,
    start: null,
    fresh: [],
    freshIds: new Set(),
    exists: false,
  });

  /** The log as it is now. */
  function log(key: number): Log {
    let found = logs.get(key);
    if (found === undefined) {
      found = emptyLog(key);
      const newest = blocks.newest(key);
      if (newest !== undefined) {
        found.seq = newest.last;
        found.count = newest.count;
      }
      logs.set(key, found);
    }
    return found;
  }

  function addFresh(log: Log, refs: RecordRef[]): void {
    const { batch, at } = refs.at(-1)!;
    log.seq = recordSeq(batch, at);
    log.count = recordCount(batch, at);
    for (const ref of refs) {
      log.fresh.push(ref);
      log.freshIds.add(ref.hash);
    }
    unfolded.add(log);
    entries += refs.length;
  }

  /** Forgets the first `n` fresh entries. */
  function dropFresh(log: Log, n: number): void {
    if (n <= 0) return;
    for (let i = 0; i < n; i++) log.freshIds.delete(log.fresh[i]!.hash);
    log.fresh = log.fresh.slice(n);
    entries -= n;
    if (log.fresh.length === 0) unfolded.delete(log);
  }

  /** Where in `fresh` an entry is; negative or beyond the end when it is not. */
  const freshIndex = ({ fresh }: Log, seq: number): number =>
    fresh.length === 0 ? -1 : seq - recordSeq(fresh[0]!.batch, fresh[0]!.at);

  function redactFresh(log: Log, batch: Batch, at: number): void {
    const index = freshIndex(log, recordSeq(batch, at));
    const ref = log.fresh[index];
    if (ref === undefined) return;
    const record = redactedRecord(ref.batch, ref.at, batch, at);
    // It keeps the number of the row which has the entry, not the redaction: by that row it is folded.
    if (record.journalId === 0) unnumbered.push(record);
    log.fresh[index] = { batch: record, at: 0, hash: ref.hash };
  }

  function trimFresh(log: Log, keepFromSeq: number): void {
    log.start = keepFromSeq;
    dropFresh(log, Math.min(log.fresh.length, freshIndex(log, keepFromSeq)));
  }

  function forgetLog(key: number): void {
    const gone = logs.get(key);
    if (gone === undefined) return;
    dropFresh(gone, gone.fresh.length);
    logs.delete(key);
  }

  /** Takes in what another process has written. */
  function replay(batch: Batch): void {
    const { view } = batch;
    for (let at = 0; at < view.byteLength; at += view.getUint32(at, true)) {
      const type = view.getUint32(at + 4, true);
      const key = view.getFloat64(at + 8, true);
      if (type === sectionTypes.delete) {
        forgetLog(key);
        continue;
      }
      // An unknown log is not looked up: the journal's newest entry is its head.
      let known = logs.get(key);
      if (known === undefined && type === sectionTypes.append) {
        known = emptyLog(key);
        logs.set(key, known);
      }
      if (known === undefined) continue;
      if (type === sectionTypes.trim) {
        trimFresh(known, view.getUint32(at + 16, true));
        continue;
      }
      known.exists = true;
      const refs: RecordRef[] = [];
      let place = at + sectionHeaderBytes;
      for (let n = view.getUint32(at + 16, true); n > 0; n--) {
        refs.push({ batch, at: place, hash: hashOf(batch, place) });
        place += recordBytes(batch, place);
      }
      if (refs.length > 0) addFresh(known, refs);
      for (let n = view.getUint32(at + 20, true); n > 0; n--) {
        redactFresh(known, batch, place);
        place += recordBytes(batch, place);
      }
    }
  }

  function addRow(id: number, rowBytes: number): void {
    rows.push({ id, bytes: rowBytes });
    bytes += rowBytes;
    for (const batch of unnumbered) batch.journalId = id;
    unnumbered = [];
    lastId = id;
  }

  function dropFolded(): void {
    for (const log of unfolded) {
      let n = 0;
      while (n < log.fresh.length && log.fresh[n]!.batch.journalId <= folded) n++;
      dropFresh(log, n);
    }
    rows = rows.filter((row) => row.id > folded);
    bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    if (logs.size > maxLogs) for (const log of logs.values()) if (log.fresh.length === 0) logs.delete(log.key);
  }

  return {
    blocks,
    hashOf,
    log,
    addFresh,
    redactFresh,
    trimFresh,
    dropFresh,
    forgetLog,
    freshIndex,
    /** To be called after a failed transaction: the memory may be ahead of the file. */
    forget,

    /** To be called first in each transaction. */
    catchUp(): void {
      const version = (dataVersion.get() as { data_version: number }).data_version;
      if (version === knownVersion) return;
      const before = folded;
      folded = (foldedTo.get() as { folded: number }).folded;
      // Folded before this process could read it: its memory has a hole.
      if (folded > lastId) {
        const now = folded;
        forget();
        folded = now;
        lastId = now;
      } else if (folded > before) dropFolded();
      for (const row of rowsAfter.iterate(lastId) as Iterable<{ id: number; batch: Uint8Array }>) {
        replay(batchOf(row.batch, row.id));
        addRow(row.id, row.batch.length);
      }
      knownVersion = version;
    },

    /** Part of `batch` becomes part of the journal at the end of the transaction. */
    add(batch: Batch, from: number, to: number): void {
      const last = added.at(-1);
      if (last?.batch === batch && last.to === from) last.to = to;
      else added.push({ batch, from, to });
    },

    /** To be called last in each transaction that writes. */
    flush(): void {
      if (added.length === 0) return;
      const pieces = added.map(({ batch, from, to }) => batch.bytes.subarray(from, to));
      const row = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      insert.run(lastId + 1, row);
      for (const { batch } of added) unnumbered.push(batch);
      added = [];
      addRow(lastId + 1, row.length);
    },

    /** What waits to be folded. */
    unfolded: () => ({ logs: unfolded, entries, bytes, upTo: lastId }),

    /** All logs' entries up to `id` are in the blocks. */
    setFolded(id: number): void {
      removeTo.run(id);
      setFolded.run(id);
      folded = Math.max(folded, id);
      dropFolded();
    },
  };
}

export type Journal = ReturnType<typeof journalTable>;
