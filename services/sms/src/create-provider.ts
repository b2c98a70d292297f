import type { SmsConfig } from "./config.ts";
import { createFileProvider, type FileOptions } from "./providers/file.ts";
import type { Provider } from "./providers/provider.ts";
import { createTwilio } from "./providers/twilio.ts";
import { createWebhook } from "./providers/webhook.ts";

/** The provider that SMS_PROVIDER names; the config has what it needs. */
export async function createProvider(config: SmsConfig, onSent: FileOptions["onSent"]): Promise<Provider> {
  switch (config.SMS_PROVIDER) {
    case "twilio":
      return createTwilio({
        accountSid: config.TWILIO_ACCOUNT_SID ?? "",
        authToken: config.TWILIO_AUTH_TOKEN ?? "",
        from: config.TWILIO_FROM ?? "",
        publicUrl: config.SMS_PUBLIC_URL ?? null,
        apiUrl: config.TWILIO_API_URL ?? null,
        timeoutMs: config.SMS_TIMEOUT_MS,
      });
    case "webhook":
      return createWebhook({ url: config.SMS_WEBHOOK_URL ?? "", secret: config.SMS_WEBHOOK_SECRET ?? "" });
    default:
      return createFileProvider({ path: config.SMS_FILE ?? "", ...(onSent ? { onSent } : {}) });
  }
}
