import type { AppendOutcome, LogHead, StoredEntry } from "../room-log.ts";
import { entryKinds } from "../room-log.ts";
import {
  type Batch,
  batchOf,
  batchWriter,
  logSection,
  recordAtMs,
  recordBody,
  recordBytes,
  recordCount,
  recordDigest,
  recordEntry,
  recordKind,
  recordSender,
  recordSeq,
  recordTarget,
  sameId,
  sectionHeaderBytes,
} from "./batch.ts";
import type { RecordRef } from "./blocks.ts";
import type { Connection } from "./connection.ts";
import type { Journal, Log } from "./journal.ts";

/** RoomLog inside the thread, within the transaction of the caller; the port says what each does. */
export function logTable({ db }: Connection, journal: Journal, roomExists: (key: number) => boolean) {
  const { blocks } = journal;
  const mark = db.prepare("SELECT last_read, last_read_count FROM members WHERE key = ? AND user = ? AND member = 1");

  const startOf = (log: Log): number => {
    if (log.start === null) {
      const fresh = log.fresh[0];
      log.start = blocks.oldest(log.key)?.first ?? (fresh === undefined ? 1 : recordSeq(fresh.batch, fresh.at));
    }
    return log.start;
  };

  /** The entry with the id of the record at `at`, among the fresh ones. */
  function freshWithId(log: Log, batch: Batch, at: number, hash: number): RecordRef | null {
    if (!log.freshIds.has(hash)) return null;
    return log.fresh.find((ref) => ref.hash === hash && sameId(ref.batch, ref.at, batch, at)) ?? null;
  }

  function foldedWithId(log: Log, batch: Batch, at: number, hash: number): { batch: Batch; at: number } | null {
    for (let seq = blocks.seqOfId(log.key, hash, 0); seq !== null; seq = blocks.seqOfId(log.key, hash, seq)) {
      const found = blocks.locate(log.key, seq);
      if (found !== null && sameId(found.batch, found.at, batch, at)) return found;
    }
    return null;
  }

  function locate(log: Log, seq: number): { batch: Batch; at: number } | null {
    const index = journal.freshIndex(log, seq);
    return index < 0 ? blocks.locate(log.key, seq) : (log.fresh[index] ?? null);
  }

  function appendSection(batch: Batch, start: number): AppendOutcome {
    const { view } = batch;
    const log = journal.log(view.getFloat64(start + 8, true));
    if (!log.exists) log.exists = roomExists(log.key);
    if (!log.exists) return "conflict";
    const refs: RecordRef[] = [];
    const hashes = new Set<number>();
    let at = start + sectionHeaderBytes;
    for (let n = view.getUint32(start + 16, true); n > 0; n--) {
      if (recordSeq(batch, at) !== log.seq + refs.length + 1) return "conflict";
      const hash = journal.hashOf(batch, at);
      const repeatsOwn =
        hashes.has(hash) && refs.some((ref) => ref.hash === hash && sameId(ref.batch, ref.at, batch, at));
      if (repeatsOwn || freshWithId(log, batch, at, hash) || foldedWithId(log, batch, at, hash)) return "conflict";
      hashes.add(hash);
      refs.push({ batch, at, hash });
      at += recordBytes(batch, at);
    }
    if (refs.length > 0) journal.addFresh(log, refs);
    for (let n = view.getUint32(start + 20, true); n > 0; n--) {
      journal.redactFresh(log, batch, at);
      // The fresh one may be in the blocks too.
      blocks.redact(log.key, recordSeq(batch, at), batch, at);
      at += recordBytes(batch, at);
    }
    journal.add(batch, start, start + view.getUint32(start, true));
    return "appended";
  }

  /** Moves up to `limit` of the log's oldest fresh entries to the blocks; answers how many. */
  function fold(log: Log, limit: number): number {
    if (log.fresh.length === 0) return 0;
    const last = blocks.newest(log.key)?.last;
    const done = last === undefined ? 0 : journal.freshIndex(log, last + 1);
    if (done < 0)
      throw new Error(`Entries of log ${log.key} after ${last} are neither in the journal nor in the blocks`);
    const refs = log.fresh.slice(done, done + limit);
    if (refs.length > 0) blocks.append(log.key, refs);
    journal.dropFresh(log, Math.min(log.fresh.length, done + refs.length));
    return refs.length;
  }

  const body = (batch: Batch, at: number): { seq: number; body: string } => ({
    seq: recordSeq(batch, at),
    body: recordBody(batch, at),
  });

  return {
    /** Appends `sections` sections of the batch, from `start` on. */
    append(batch: Batch, start: number, sections: number): AppendOutcome[] {
      const outcomes: AppendOutcome[] = [];
      for (let at = start; outcomes.length < sections; at += batch.view.getUint32(at, true)) {
        outcomes.push(appendSection(batch, at));
      }
      return outcomes;
    },

    fold,

    /** The room is gone: whoever has the log in memory is to forget it. */
    delete(key: number): void {
      const section = logSection("delete", key, 0);
      journal.add(section, 0, section.bytes.length);
      journal.forgetLog(key);
    },

    trim(key: number, keepFromSeq: number, limit: number): number {
      const log = journal.log(key);
      const start = startOf(log);
      const to = Math.min(keepFromSeq, log.seq, start + limit);
      if (to <= start) return 0;
      fold(log, log.fresh.length);
      blocks.trim(key, to);
      journal.trimFresh(log, to);
      const section = logSection("trim", key, to);
      journal.add(section, 0, section.bytes.length);
      return to - start;
    },

    heads(keys: number[]): LogHead[] {
      return keys.map((key) => {
        const log = journal.log(key);
        return { seq: log.seq, count: log.count, start: startOf(log) };
      });
    },

    readAfter(key: number, after: number, limit: number): { seq: number; body: string }[] {
      const log = journal.log(key);
      const rows: { seq: number; body: string }[] = [];
      let index = journal.freshIndex(log, after + 1);
      if (index < 0) {
        const freshSeq = log.seq - log.fresh.length + 1;
        blocks.eachAfter(key, after, (batch, at) => {
          if (rows.length >= limit || recordSeq(batch, at) >= freshSeq) return false;
          return rows.push(body(batch, at)) < limit;
        });
        index = 0;
      }
      for (; index < log.fresh.length && rows.length < limit; index++) {
        rows.push(body(log.fresh[index]!.batch, log.fresh[index]!.at));
      }
      return rows;
    },

    readBefore(key: number, before: number | null, limit: number): { seq: number; body: string }[] {
      const log = journal.log(key);
      const rows: { seq: number; body: string }[] = [];
      let below = Math.min(before ?? Number.POSITIVE_INFINITY, log.seq + 1);
      for (let index = journal.freshIndex(log, below - 1); index >= 0 && rows.length < limit; index--, below--) {
        rows.push(body(log.fresh[index]!.batch, log.fresh[index]!.at));
      }
      if (rows.length < limit) {
        blocks.eachBefore(key, below, (batch, at) => rows.push(body(batch, at)) < limit);
      }
      return rows.reverse();
    },

    get(key: number, seq: number): StoredEntry | null {
      const found = locate(journal.log(key), seq);
      return found === null ? null : recordEntry(found.batch, found.at);
    },

    find(key: number, ids: { sender: string; clientMessageId: string }[]) {
      const log = journal.log(key);
      return ids.map(({ sender, clientMessageId }) => {
        const writer = batchWriter();
        writer.append({ key, entries: [{ ...blankEntry, sender, clientMessageId }] });
        const batch = batchOf(writer.take(), 0);
        const at = sectionHeaderBytes;
        const hash = journal.hashOf(batch, at);
        const found = freshWithId(log, batch, at, hash) ?? foldedWithId(log, batch, at, hash);
        if (found === null) return null;
        return {
          seq: recordSeq(found.batch, found.at),
          digest: recordDigest(found.batch, found.at),
          atMs: recordAtMs(found.batch, found.at),
        };
      });
    },

    editsOf(key: number, target: number): StoredEntry[] {
      const log = journal.log(key);
      const freshSeq = log.seq - log.fresh.length + 1;
      const folded = blocks.edits(key, target).filter((seq) => seq < freshSeq);
      const fresh = log.fresh.filter(
        ({ batch, at }) => recordTarget(batch, at) === target && recordKind(batch, at) === entryKinds.edited,
      );
      return [...folded.map((seq) => blocks.locate(key, seq)!), ...fresh].map(({ batch, at }) =>
        recordEntry(batch, at),
      );
    },

    firstSince(key: number, atMs: number): number {
      const log = journal.log(key);
      const folded = blocks.firstSince(key, atMs);
      if (folded !== null) return folded;
      const fresh = log.fresh.find(({ batch, at }) => recordAtMs(batch, at) >= atMs);
      return fresh === undefined ? log.seq + 1 : recordSeq(fresh.batch, fresh.at);
    },

    unread(items: { key: number; user: string }[]): number[] {
      return items.map(({ key, user }) => {
        const row = mark.get(key, user) as { last_read: number; last_read_count: number } | undefined;
        const log = journal.log(key);
        if (row === undefined || log.seq === 0) return 0;
        const start = startOf(log);
        let { last_read: seq, last_read_count: count } = row;
        if (seq < start - 1) {
          const oldest = locate(log, start)!;
          seq = start - 1;
          const isMessage = recordKind(oldest.batch, oldest.at) === entryKinds.message;
          count = recordCount(oldest.batch, oldest.at) - Number(isMessage);
        }
        const { sent, upTo } = blocks.sentSince(key, user, seq);
        let own = sent;
        for (let i = Math.max(0, journal.freshIndex(log, upTo + 1)); i < log.fresh.length; i++) {
          const { batch, at } = log.fresh[i]!;
          if (recordKind(batch, at) === entryKinds.message && recordSender(batch, at) === user) own++;
        }
        return Math.max(0, log.count - count - own);
      });
    },
  };
}

const blankEntry = { seq: 0, count: 0, kind: "message", digest: 0, atMs: 0, target: null, body: "" } as const;
