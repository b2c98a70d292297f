/** Many of a kind told as one: the newest takes in those that wait with it. */
import type { NotificationRecord, NotificationStore } from "@parley/store";
import type { Plan } from "./plan.ts";

interface Item {
  id: string;
  title: string;
  body: string;
}

const itemsMax = 50;

/**
 * Folds the kind's waiting notifications into the newest of them. Answers the record to be told, or null: `record` is not
 * the newest, and is told with it. Killed in between, the next one finds what was folded by its ids, and counts none twice.
 */
export async function foldDigest(
  store: NotificationStore,
  record: NotificationRecord,
  nowMs: number,
): Promise<NotificationRecord | null> {
  const waiting = await store.ofKind(record.user, record.kind, "waiting", 200);
  const together = waiting.filter(({ dueAtMs, plan }) => (JSON.parse(plan) as Plan).digest && (dueAtMs ?? 0) <= nowMs);
  const [newest] = together;
  if (!newest || together.length === 1) return record;

  const kept = newest.data === null ? null : (JSON.parse(newest.data) as { items?: Item[] } | null);
  const folded = new Set((kept?.items ?? []).map(({ id }) => id));
  const items = [...(kept?.items ?? [])];
  for (const { id, title, body } of together) if (!folded.has(id)) items.push({ id, title, body });
  const changed = await store.change(newest.id, newest.version, {
    title: `${items.length} notifications: ${record.kind}`,
    body: items[0]?.title ?? "",
    data: JSON.stringify({ items: items.slice(0, itemsMax) }),
    count: items.length,
  });
  // Somebody else folds at this moment: whoever looks next sees what came of it.
  if (!changed) return null;
  for (const other of together.slice(1)) {
    await store.change(other.id, other.version, { status: "digested", dueAtMs: null });
  }
  return changed;
}
