import type { Message } from "@parley/client";
import { dayOf } from "./format-time.ts";

/** What stands one below the other in a room. */
export type Row =
  | { kind: "day"; key: string; at: string }
  | { kind: "divider"; key: string }
  | { kind: "message"; key: string; message: Message; opens: boolean; closes: boolean };

/** Messages of one sender within this time stand together under one name. */
const groupMs = 5 * 60_000;

function belongTogether(a: Message | undefined, b: Message | undefined): boolean {
  if (!a || !b || a.kind !== "message" || b.kind !== "message" || a.sender.id !== b.sender.id) return false;
  const [from, to] = [new Date(a.at), new Date(b.at)];
  return to.getTime() - from.getTime() < groupMs && dayOf(from) === dayOf(to);
}

/** The first message that somebody else sent after the read mark: where the "new" line stands. */
function firstUnread(messages: readonly Message[], readUpTo: number | null, me: string): number | null {
  if (readUpTo === null) return null;
  return messages.find(({ seq, sender }) => seq > readUpTo && sender.id !== me)?.seq ?? null;
}

/** Messages grouped by day and sender, with the line between what was read and what is new. */
export function toRows(messages: readonly Message[], readUpTo: number | null, me: string): Row[] {
  const rows: Row[] = [];
  const unread = firstUnread(messages, readUpTo, me);
  messages.forEach((message, i) => {
    const before = messages[i - 1];
    const after = messages[i + 1];
    if (!before || dayOf(new Date(before.at)) !== dayOf(new Date(message.at)))
      rows.push({ kind: "day", key: `day ${message.seq}`, at: message.at });
    if (message.seq === unread) rows.push({ kind: "divider", key: "divider" });
    const opens = message.seq === unread || !belongTogether(before, message);
    const closes = after?.seq === unread || !belongTogether(message, after);
    rows.push({ kind: "message", key: String(message.seq), message, opens, closes });
  });
  return rows;
}
