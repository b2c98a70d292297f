/** Forgets a person's notifications, preferences and SMS when the chat service says so. */
import { type Bus, type ForgetRequest, subjects } from "@parley/bus";
import type { Store } from "@parley/store";
import { answerRequests } from "./answer-requests.ts";

/** All numbers of a person, each once: those that others know of, and the one in the preferences. */
export async function phonesOf(
  { notifications }: Pick<Store, "notifications">,
  { user, phones }: ForgetRequest,
): Promise<string[]> {
  const phone = (await notifications.preferences(user))?.phone;
  return [...new Set([...phones, ...(phone ? [phone] : [])])].sort();
}

export function serveForget(options: {
  bus: Bus;
  notices: Pick<Store, "notifications" | "sms">;
  onError: (error: unknown) => void;
}): { close(): void } {
  const { bus, notices, onError } = options;
  const forget = async ({ user, phones }: ForgetRequest) => {
    // Read before the preferences, which may name one, are gone.
    const all = await phonesOf(notices, { user, phones });
    await notices.notifications.forget(user);
    for (const phone of all) await notices.sms.forget(phone);
    return { ok: true };
  };
  return answerRequests({ bus, subject: subjects.forget(), answer: forget, failed: { ok: false }, onError });
}
