/** Shows the file provider's SMS in the page, on the phone of whoever gave the number: for trying things out, not for secrets. */
import { type BusOptions, connectBus, subjects } from "@parley/bus";
import type { NotificationStore } from "@parley/store";
import type { OutgoingSms } from "./providers/provider.ts";

export interface Phones {
  show(sms: OutgoingSms): void;
  close(): Promise<void>;
}

const shownTo = 20;

export async function startPhones(options: {
  bus: Omit<BusOptions, "role">;
  store: Pick<NotificationStore, "usersWithPhone">;
}): Promise<Phones> {
  const bus = await connectBus({ ...options.bus, role: "sms" });
  const show = async ({ id, to, text }: OutgoingSms) => {
    const users = await options.store.usersWithPhone(to, shownTo);
    if (users.length === 0) return;
    const data = { id, to, text, at: new Date().toISOString() };
    const frame = JSON.stringify({ eventType: "ServerEvent", event: "phone.sms", data, sender: null, type: "users" });
    bus.publish(subjects.gateways(), JSON.stringify({ order: "users", users, frame }));
  };
  return {
    // Whoever looks away misses it; the file has it.
    show: (sms) => void show(sms).catch(() => {}),
    close: () => bus.close(),
  };
}
