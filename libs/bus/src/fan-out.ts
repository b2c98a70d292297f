/**
 * What goes out on a room's subject: one or more records, each a fixed header and then the JSON frame exactly as clients
 * get it, so that a gateway reads five numbers and parses nothing.
 *
 *   u8 kind · u32 epoch tag · f64 seq · u32 length of the frame · frame
 */
import { ByteReader, type ByteWriter } from "./bytes.ts";

export const recordKinds = {
  /** An entry of the log: has a seq, is delivered in order and once. */
  entry: 1,
  /** A passing event for all listeners. */
  passing: 2,
  /** A passing event for all listeners but one session: its id (u32 length, bytes) comes before the frame. */
  passingExcept: 3,
  /** The room was deleted: its listeners are told and put out. */
  reset: 4,
  /** A user may not listen any more: the frame is the user's id. */
  removed: 5,
  /** A frame of the room's timer; its seq is its place (`timerOrder`), and what comes behind its time is dropped. */
  timer: 6,
} as const;

/** The last 32 bits of a room's key: tells one incarnation of a room from another. */
export const epochTag = (key: number): number => key % 2 ** 32;

/** What clients know an incarnation by. */
export const epochOf = (key: number): string => key.toString(36);

export function writeRecord(writer: ByteWriter, kind: number, tag: number, seq: number, frame: string): void {
  writer.u8(kind);
  writer.u32(tag);
  writer.f64(seq);
  writer.string(frame);
}

/**
 * The record of an entry, put together from what is encoded already.
 * `prefix`: the frame up to its seq; `body`: the entry's JSON.
 */
export function writeEntryRecord(writer: ByteWriter, tag: number, seq: number, prefix: string, body: string): void {
  writer.u8(recordKinds.entry);
  writer.u32(tag);
  writer.f64(seq);
  const at = writer.length;
  writer.u32(0);
  writer.text(`${prefix}${seq},"data":`);
  writer.text(body);
  writer.u8(0x7d);
  writer.patchU32(at, writer.length - at - 4);
}

export function writePassingExcept(writer: ByteWriter, tag: number, session: string, frame: string): void {
  writer.u8(recordKinds.passingExcept);
  writer.u32(tag);
  writer.f64(0);
  const at = writer.length;
  writer.u32(0);
  writer.string(session);
  writer.text(frame);
  writer.patchU32(at, writer.length - at - 4);
}

/** Calls `each` for every record; `frame` is a view into `payload`. */
export function readRecords(
  payload: Uint8Array,
  each: (kind: number, tag: number, seq: number, frame: Buffer) => void,
): void {
  const reader = new ByteReader(payload);
  while (reader.left > 0) {
    const kind = reader.u8();
    const tag = reader.u32();
    const seq = reader.f64();
    each(kind, tag, seq, reader.bytes());
  }
}

/** Takes a `passingExcept` record's content apart. */
export function splitPassingExcept(content: Buffer): { session: string; frame: Buffer } {
  const reader = new ByteReader(content);
  const session = reader.string();
  return { session, frame: reader.view(reader.left) };
}
