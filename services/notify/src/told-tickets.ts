/** Tells the help centre's agents of new tickets: followed in the store, so that none is missed whatever was down. */
import { helpDesk } from "@parley/bus";
import type { Store, TicketRecord } from "@parley/store";
import type { Notifications } from "./notifications.ts";
import { oneLine } from "./one-line.ts";

export interface TicketFollower {
  /** Looks for tickets changed since the last look. */
  follow(): Promise<void>;
}

/** A restart looks back so far: what was told before is known by its key. */
const lookBackMs = 24 * 60 * 60_000;
const pageSize = 100;
const agentsMax = 500;

export function followTickets(options: {
  store: Pick<Store, "rooms" | "tickets">;
  notifications: Pick<Notifications, "accept">;
  now?: () => number;
}): TicketFollower {
  const { store, notifications, now = Date.now } = options;
  let sinceMs = now() - lookBackMs;
  let after: string | null = null;
  let following: Promise<void> | null = null;

  const agents = async (): Promise<string[]> => {
    const [desk] = await store.rooms.find([helpDesk]);
    if (!desk) return [];
    const members = await store.rooms.members(desk.key, { after: null, limit: agentsMax });
    return members.map(({ user }) => user);
  };

  const tell = async ({ room, subject, asker, askerName, agent, status }: TicketRecord): Promise<void> => {
    if (status === "closed") return;
    const handedOver = status === "claimed";
    const users = handedOver ? [agent] : await agents();
    for (const user of users) {
      if (user === null || user === asker) continue;
      await notifications.accept({
        ...{ user, kind: "ticket", room, channels: null, atMs: null, unlessRead: null },
        title: handedOver ? "A ticket is yours now" : oneLine(`${askerName} asks for help`, 200),
        body: oneLine(subject, 300),
        data: JSON.stringify({ room }),
        // An agent who claims a ticket that was told hears no more of it; one who gets it handed over does.
        dedupeKey: `ticket:${room}:${handedOver ? agent : "open"}`,
        fingerprint: null,
      });
    }
  };

  const run = async (): Promise<void> => {
    for (;;) {
      const page: TicketRecord[] = await store.tickets.changedSince(sinceMs, { after, limit: pageSize });
      for (const ticket of page) {
        await tell(ticket);
        sinceMs = ticket.changedAtMs;
        after = ticket.room;
      }
      if (page.length < pageSize) break;
    }
    // Clocks of workers differ a little: what was written late with an early time is still met.
    sinceMs = Math.min(sinceMs, now() - 10_000);
    after = null;
  };

  return {
    async follow() {
      following ??= run().finally(() => {
        following = null;
      });
      await following;
    },
  };
}
