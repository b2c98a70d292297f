import { signatureHeader, signBody } from "@parley/service-kit";
import type { NotificationRecord } from "@parley/store";
import { notificationView } from "./notification-view.ts";

/** Rejects where the other side did not say 2xx. It may get the same one twice: `Idempotency-Key` is the id. */
export type SendWebhook = (record: NotificationRecord) => Promise<void>;

const timeoutMs = 10_000;

export function createSendWebhook({ url, secret }: { url: string; secret: string }): SendWebhook {
  return async (record) => {
    const body = JSON.stringify({ user: record.user, notification: notificationView(record) });
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers: {
        "content-type": "application/json",
        "idempotency-key": record.id,
        [signatureHeader]: signBody(secret, body),
      },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`The webhook answered ${response.status}`);
  };
}
