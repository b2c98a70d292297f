/**
 * How appends travel to the store's thread and lie in the file: as bytes which are made once, in the caller's thread, and
 * only copied afterwards. A batch is a row of sections; a section begins with a header and says what happened to one log:
 *
 *     section   0 u32 bytes in all · 4 u32 type · 8 f64 key · 16 u32 entries, or the seq a trim keeps from · 20 u32 redactions
 *     record    0 u32 bytes in all · 4 u32 seq · 8 u32 count · 12 u32 target, 0 for none · 16 f64 digest · 24 f64 atMs
 *               32 u8 kind · 33 u8 deleted · 34 u16 bytes of sender · 36 u16 bytes of clientMessageId · 38 zero
 *               40 sender, clientMessageId and body in UTF-8
 *
 * An append's section holds its entries' records, then one record for each redaction (only seq and body count there).
 * All numbers are little-endian; a log can so have 4,294,967,295 entries.
 */
import { type EntryKind, entryKinds, type NewEntry, type RoomAppend, type StoredEntry } from "../room-log.ts";

export const sectionHeaderBytes = 24;
const recordHeaderBytes = 40;
export const sectionTypes = { append: 1, trim: 2, delete: 3 } as const;

/** Bytes and the view by which numbers are read from them. */
export interface Batch {
  bytes: Buffer;
  view: DataView;
  /** Its row in the journal; 0 until it has one. */
  journalId: number;
}

export function batchOf(bytes: Uint8Array, journalId: number): Batch {
  return {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    journalId,
  };
}

export interface BatchWriter {
  /** Where the next section begins. */
  readonly end: number;
  append(append: RoomAppend): void;
  /** The bytes so far; the next section begins a new batch. */
  take(): Uint8Array<ArrayBuffer>;
}

/** Gathers appends into one batch. */
export function batchWriter(): BatchWriter {
  let bytes = Buffer.alloc(0);
  let view = new DataView(bytes.buffer);
  let end = 0;
  /** Batches are much like the one before. */
  let likelyBytes = 1_024;

  function reserve(more: number): void {
    if (end + more <= bytes.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(likelyBytes, 2 * bytes.length, end + more));
    bytes.copy(bigger, 0, 0, end);
    bytes = bigger;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  function record(entry: NewEntry): void {
    const { sender, clientMessageId, body } = entry;
    const units = sender.length + clientMessageId.length + body.length;
    reserve(recordHeaderBytes + 3 * units);
    const written = bytes.write(sender + clientMessageId + body, end + recordHeaderBytes);
    const ascii = written === units;
    const senderBytes = ascii ? sender.length : Buffer.byteLength(sender);
    const idBytes = ascii ? clientMessageId.length : Buffer.byteLength(clientMessageId);
    if (senderBytes > 0xffff || idBytes > 0xffff) {
      throw new RangeError("An entry's sender and clientMessageId have 65,535 bytes at most");
    }
    view.setUint32(end, recordHeaderBytes + written, true);
    // A number beyond the last is a conflict like any that does not follow the head; it must not wrap to one that does.
    view.setUint32(end + 4, Math.min(entry.seq, 0xffffffff), true);
    view.setUint32(end + 8, entry.count, true);
    view.setUint32(end + 12, entry.target ?? 0, true);
    view.setFloat64(end + 16, entry.digest, true);
    view.setFloat64(end + 24, entry.atMs, true);
    view.setUint16(end + 32, entryKinds[entry.kind], true);
    view.setUint16(end + 34, senderBytes, true);
    view.setUint32(end + 36, idBytes, true);
    end += recordHeaderBytes + written;
  }

  return {
    get end() {
      return end;
    },
    append({ key, entries, redactions = [] }) {
      const start = end;
      try {
        reserve(sectionHeaderBytes);
        end += sectionHeaderBytes;
        for (const entry of entries) record(entry);
        for (const { seq, body } of redactions) record({ ...blank, seq, body });
      } catch (error) {
        end = start;
        throw error;
      }
      view.setUint32(start, end - start, true);
      view.setUint32(start + 4, sectionTypes.append, true);
      view.setFloat64(start + 8, key, true);
      view.setUint32(start + 16, entries.length, true);
      view.setUint32(start + 20, redactions.length, true);
    },
    take() {
      const taken = new Uint8Array(bytes.buffer as ArrayBuffer, 0, end);
      likelyBytes = Math.max(1_024, Math.ceil(end * 1.25));
      bytes = Buffer.alloc(0);
      view = new DataView(bytes.buffer);
      end = 0;
      return taken;
    },
  };
}

const blank = {
  count: 0,
  kind: "message",
  sender: "",
  clientMessageId: "",
  digest: 0,
  atMs: 0,
  target: null,
} as const;

/** A section of its own for what concerns a whole log. */
export function logSection(type: "trim" | "delete", key: number, keepFromSeq: number): Batch {
  const batch = batchOf(new Uint8Array(sectionHeaderBytes), 0);
  batch.view.setUint32(0, sectionHeaderBytes, true);
  batch.view.setUint32(4, sectionTypes[type], true);
  batch.view.setFloat64(8, key, true);
  batch.view.setUint32(16, keepFromSeq, true);
  return batch;
}

const kindNames = new Map<number, EntryKind>(Object.entries(entryKinds).map(([name, n]) => [n, name as EntryKind]));

export const recordBytes = ({ view }: Batch, at: number): number => view.getUint32(at, true);
export const recordSeq = ({ view }: Batch, at: number): number => view.getUint32(at + 4, true);
export const recordCount = ({ view }: Batch, at: number): number => view.getUint32(at + 8, true);
export const recordTarget = ({ view }: Batch, at: number): number => view.getUint32(at + 12, true);
export const recordDigest = ({ view }: Batch, at: number): number => view.getFloat64(at + 16, true);
export const recordAtMs = ({ view }: Batch, at: number): number => view.getFloat64(at + 24, true);
export const recordKind = ({ view }: Batch, at: number): number => view.getUint8(at + 32);

const senderEnd = ({ view }: Batch, at: number): number => at + recordHeaderBytes + view.getUint16(at + 34, true);
const idEnd = (batch: Batch, at: number): number => senderEnd(batch, at) + batch.view.getUint16(at + 36, true);

export const recordSender = (batch: Batch, at: number): string =>
  batch.bytes.toString("utf8", at + recordHeaderBytes, senderEnd(batch, at));

export const recordBody = (batch: Batch, at: number): string =>
  batch.bytes.toString("utf8", idEnd(batch, at), at + recordBytes(batch, at));

/** The record whole. */
export function recordEntry(batch: Batch, at: number): StoredEntry {
  return {
    seq: recordSeq(batch, at),
    count: recordCount(batch, at),
    kind: kindNames.get(recordKind(batch, at))!,
    sender: recordSender(batch, at),
    clientMessageId: batch.bytes.toString("utf8", senderEnd(batch, at), idEnd(batch, at)),
    digest: recordDigest(batch, at),
    atMs: recordAtMs(batch, at),
    target: recordTarget(batch, at) || null,
    deleted: batch.view.getUint8(at + 33) === 1,
    body: recordBody(batch, at),
  };
}

/** A copy of the record with the body of another, marked deleted. */
export function redactedRecord(batch: Batch, at: number, other: Batch, otherAt: number): Batch {
  const kept = batch.bytes.subarray(at, idEnd(batch, at));
  const body = other.bytes.subarray(idEnd(other, otherAt), otherAt + recordBytes(other, otherAt));
  const record = batchOf(Buffer.concat([kept, body]), batch.journalId);
  record.view.setUint32(0, record.bytes.length, true);
  record.view.setUint8(33, 1);
  return record;
}

/** True when both records have the same sender and clientMessageId. */
export function sameId(a: Batch, aAt: number, b: Batch, bAt: number): boolean {
  return (
    a.view.getUint32(aAt + 34, true) === b.view.getUint32(bAt + 34, true) &&
    a.bytes.compare(b.bytes, bAt + recordHeaderBytes, idEnd(b, bAt), aAt + recordHeaderBytes, idEnd(a, aAt)) === 0
  );
}

/**
 * 48 bits of a record's sender and clientMessageId. The salt, each file's own, keeps a client from choosing ids which
 * fall on the same number.
 */
export function hashId(batch: Batch, at: number, salt: number): number {
  const { view } = batch;
  const end = idEnd(batch, at);
  let a = (salt ^ 0x9e3779b9) | 0;
  let b = (salt ^ view.getUint16(at + 34, true)) | 0;
  let i = at + recordHeaderBytes;
  for (; i + 4 <= end; i += 4) {
    const word = view.getInt32(i, true);
    a = Math.imul(a ^ word, 0x85ebca77);
    a ^= a >>> 13;
    b = Math.imul(b ^ word, 0xc2b2ae3d);
    b ^= b >>> 16;
  }
  for (; i < end; i++) {
    const byte = view.getUint8(i);
    a = Math.imul(a ^ byte, 0x85ebca77);
    a ^= a >>> 13;
    b = Math.imul(b ^ byte, 0xc2b2ae3d);
    b ^= b >>> 16;
  }
  a = Math.imul(a ^ (a >>> 15) ^ b, 0x2c1b3c6d);
  b = Math.imul(b ^ (b >>> 12) ^ a, 0x297a2d39);
  a ^= a >>> 16;
  b ^= b >>> 15;
  return (a & 0xffff) * 2 ** 32 + (b >>> 0);
}
