import type { NewEntry } from "../room-log.ts";
import type { RoomRecord } from "../rooms.ts";
import { newUser, type UserRecord } from "../users.ts";

/** A 48-bit key, as the services make them. */
export const randomKey = (): number => 1 + Math.floor(Math.random() * (2 ** 48 - 1));

let lastId = 0;
/** An id that no other test of the suite has. */
export const uniqueId = (prefix: string): string => `${prefix}${randomKey().toString(36)}-${++lastId}`;

/** Names and ids which have broken one store or another. */
export const oddNames = [
  "plain",
  "with space",
  "dotted.key.$set",
  "$gt",
  "$where",
  "__proto__",
  "constructor",
  "'; DROP TABLE rooms; --",
  'quote " and \\ backslash',
  "percent % and _ underscore",
  "*",
  ">",
  "null",
  "0",
  "😀 emoji 👩‍👩‍👧‍👦",
  "עברית \u202e rtl \u200f",
  "é composed",
  "e\u0301 combining",
  "\uffff end of the plane",
  "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
  "ß vs SS",
  "a".repeat(128),
  "😀".repeat(64),
];

/** The order of names in every store: by code point, which is the order of their UTF-8 bytes. */
export const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

export function room(name: string, changes: Partial<RoomRecord> = {}): RoomRecord {
  return {
    name,
    key: randomKey(),
    visibility: "public",
    title: null,
    closed: false,
    receipts: false,
    retentionMs: null,
    retentionEntries: null,
    createdAtMs: 1_760_000_000_000,
    version: 1,
    ...changes,
  };
}

export function user(id: string, changes: Partial<UserRecord> = {}): UserRecord {
  return { ...newUser({ id, name: `Name of ${id}`, guest: false }, 1_000), lastSeenAtMs: 2_000, ...changes };
}

/** A message; `seq` stands for its count too unless told otherwise. */
export function entry(seq: number, changes: Partial<NewEntry> = {}): NewEntry {
  return {
    seq,
    count: seq,
    kind: "message",
    sender: "ada",
    clientMessageId: `id-${seq}`,
    digest: seq * 7,
    atMs: 1_760_000_000_000 + seq,
    target: null,
    body: `{"seq":${seq},"text":"hello ${seq}"}`,
    ...changes,
  };
}

/** Messages from `from` to `to`, both included. */
export function entries(from: number, to: number, changes: Partial<NewEntry> = {}): NewEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, changes));
}
