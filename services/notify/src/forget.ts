/** Forgets a person's notifications, preferences and SMS when the chat service says so. */
import { type Bus, type ForgetRequest, subjects } from "@parley/bus";
import type { Store } from "@parley/store";

export function serveForget(options: {
  bus: Bus;
  notices: Pick<Store, "notifications" | "sms">;
  onError: (error: unknown) => void;
}): { close(): void } {
  const { bus, notices, onError } = options;
  const forget = async ({ user, phones }: ForgetRequest) => {
    const preferences = await notices.notifications.preferences(user);
    const all = new Set([...phones, ...(preferences?.phone ? [preferences.phone] : [])]);
    await notices.notifications.forget(user);
    for (const phone of all) await notices.sms.forget(phone);
  };
  const subscription = bus.nc.subscribe(subjects.forget(), {
    queue: "notify",
    callback: (error, msg) => {
      if (error) return;
      forget(msg.json<ForgetRequest>()).then(
        () => msg.respond('{"ok":true}'),
        (cause) => {
          onError(cause);
          msg.respond('{"ok":false}');
        },
      );
    },
  });
  return { close: () => subscription.unsubscribe() };
}
