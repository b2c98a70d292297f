/** Whose sessions hear of whose presence: `presence` events, gathered, and in pieces that hold nobody else up. */
import { type Bus, type PresenceChange, type PresenceNews, subjects } from "@parley/bus";
import { eventFrame } from "./frames.ts";
import type { Hub } from "./hub.ts";
import type { People } from "./people.ts";
import type { Session } from "./session.ts";
import type { Spread } from "./spread.ts";

export interface PresenceAudienceOptions {
  bus: Bus;
  hub: Hub;
  people: People;
  spread: Spread;
  /** While fewer are online, those who want to hear of everyone do; beyond that, of those they share a room with. */
  allMax: number;
  onError: (error: unknown, what: string) => void;
}

export interface PresenceAudience {
  /** Says that presence stands still, or goes on. */
  tellFrozen(frozen: boolean): void;
  close(): void;
}

const perFrame = 100;

export function createPresenceAudience(options: PresenceAudienceOptions): PresenceAudience {
  const { bus, hub, people, spread } = options;

  const tell = ({ changes, total }: PresenceNews) => {
    const everyone = total < options.allMax;
    const heardAll = (session: Session) => everyone && session.presence === "all";
    const users = new Map(changes.map((change) => [change, JSON.stringify(change.user)]));
    if (everyone) {
      const told = changes.filter(({ change }) => change !== null);
      const some = told.length > 0 ? [...people.all()].filter(heardAll) : [];
      if (some.length > 0) for (const frame of framesOf(told, users, null)) spread(some, frame);
    }
    for (const [name, inRoom] of byRoom(changes)) {
      const room = hub.room(name);
      if (!room) continue;
      const some = [...room.listeners].filter((session) => session.presence !== "none" && !heardAll(session));
      if (some.length > 0) for (const frame of framesOf(inRoom, users, name)) spread(some, frame);
    }
  };

  const subscription = bus.nc.subscribe(subjects.presence(), {
    callback: (error, msg) => {
      if (error) return;
      try {
        tell(msg.json<PresenceNews>());
      } catch (fault) {
        options.onError(fault, "news of presence could not be told");
      }
    },
  });

  return {
    tellFrozen(frozen) {
      const some = [...people.all()].filter(({ presence }) => presence !== "none");
      spread(some, eventFrame("presence", `{"frozen":${frozen}}`));
    },
    close: () => subscription.unsubscribe(),
  };
}

function byRoom(changes: PresenceChange[]): Map<string, PresenceChange[]> {
  const rooms = new Map<string, PresenceChange[]>();
  for (const change of changes)
    for (const room of change.rooms) {
      if (change.change === null && !change.entered.includes(room)) continue;
      const list = rooms.get(room);
      if (list) list.push(change);
      else rooms.set(room, [change]);
    }
  return rooms;
}

/** `users`: each change's user as JSON. Whoever just entered `room` is new to it. */
function framesOf(changes: PresenceChange[], users: Map<PresenceChange, string>, room: string | null): string[] {
  const frames: string[] = [];
  for (let i = 0; i < changes.length; i += perFrame) {
    const kinds: Record<"online" | "update" | "offline", string[]> = { online: [], update: [], offline: [] };
    for (const change of changes.slice(i, i + perFrame)) {
      const entered = room !== null && change.change !== "offline" && change.entered.includes(room);
      const kind = entered ? "online" : change.change;
      if (kind !== null) kinds[kind].push(users.get(change) as string);
    }
    const parts = Object.entries(kinds).flatMap(([kind, list]) =>
      list.length ? [`"${kind}":[${list.join(",")}]`] : [],
    );
    frames.push(eventFrame("presence", `{${parts.join(",")}}`));
  }
  return frames;
}
