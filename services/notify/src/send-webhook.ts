import { signedPost } from "@parley/service-kit";
import type { NotificationRecord } from "@parley/store";
import { notificationView } from "./notification-view.ts";

/** Rejects where the other side did not say 2xx. It may get the same one twice: `Idempotency-Key` is the id. */
export type SendWebhook = (record: NotificationRecord) => Promise<void>;

const timeoutMs = 10_000;

export function createSendWebhook({ url, secret }: { url: string; secret: string }): SendWebhook {
  return async (record) => {
    const { ok, status } = await signedPost({
      ...{ url, secret, idempotencyKey: record.id },
      body: { user: record.user, notification: notificationView(record) },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!ok) throw new Error(`The webhook answered ${status}`);
  };
}
