import type { NotificationView } from "@parley/protocol";
import type { NotificationRecord } from "@parley/store";

/** A notification as clients and the API see it. */
export const notificationView = (record: NotificationRecord): NotificationView => ({
  id: record.id,
  kind: record.kind,
  title: record.title,
  body: record.body,
  data: record.data === null ? null : (JSON.parse(record.data) as unknown),
  count: record.count,
  at: new Date(record.sentAtMs ?? record.createdAtMs).toISOString(),
  read: record.readAtMs !== null,
});
