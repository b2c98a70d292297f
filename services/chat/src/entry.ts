/** How an entry looks to clients: its JSON is made here, once, and then stored, published and paged as it is. */
import type { EntryKind } from "@parley/store";

/** What somebody wants to add to a room; the log gives it its number and time. */
export interface Draft {
  kind: EntryKind;
  sender: string;
  /** `{"id":…,"name":…}` */
  senderJson: string;
  clientMessageId: string;
  digest: number;
  target: number | null;
  /** The fields of this kind, as JSON members, e.g. `"text":"hi","data":null,"replyTo":null`. */
  fieldsJson: string;
  /** Bodies that this entry blanks in the same step. */
  redactions?: { seq: number; body: string }[];
  /** Of the request, where it is traced. */
  traceparent?: string;
}

export const messageFields = (text: string | null, dataJson: string, replyTo: number | null): string =>
  `"text":${text === null ? "null" : JSON.stringify(text)},"data":${dataJson},"replyTo":${replyTo ?? "null"}`;

/** The entry's JSON. `at` is ISO 8601. */
export function encodeBody(draft: Draft, seq: number, at: string): string {
  // A clientMessageId is printable ASCII, yet may hold a quote or a backslash.
  const id = JSON.stringify(draft.clientMessageId);
  return `{"seq":${seq},"kind":"${draft.kind}","sender":${draft.senderJson},${draft.fieldsJson},"at":"${at}","clientMessageId":${id}}`;
}

/** The event under which listeners hear of an entry. */
export const eventOf: { [kind in EntryKind]: string } = {
  message: "message",
  edited: "message.edited",
  deleted: "message.deleted",
  reacted: "message.reacted",
  system: "message.system",
};

/** The same entry without what it said: what stays in the log of a deleted message, or of an edit of it. */
export function blankBody(body: string): string {
  const entry = JSON.parse(body) as Record<string, unknown>;
  return JSON.stringify({ ...entry, text: null, data: null, deleted: true });
}

/** A fingerprint of what was asked for, the same for the same request: 53 bits, to tell a repeat from a conflict. */
export function digestOf(...parts: (string | number | boolean | null)[]): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (const part of parts) {
    const text = part === null ? "\u0000" : String(part);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ unit, 0x85ebca6b) ^ (b >>> 13);
    }
    // So that ("ab","c") is not ("a","bc").
    a = Math.imul(a ^ 0x1f, 0x01000193);
    b = Math.imul(b ^ text.length, 0xc2b2ae35);
  }
  return ((a >>> 0) % 2 ** 21) * 2 ** 32 + (b >>> 0);
}
