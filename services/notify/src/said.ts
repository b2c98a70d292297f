/** Messages and ended timers that somebody may have to be told of: who, and with what words. */
import { type Bus, notifyGroup, type Said, subjects, type TimerFinished } from "@parley/bus";
import type { Store } from "@parley/store";
import { mentioned, type Named } from "./mentions.ts";
import type { NewNotification, Notifications } from "./notifications.ts";
import { oneLine } from "./one-line.ts";

export interface SaidOptions {
  bus: Bus;
  store: Pick<Store, "rooms" | "users" | "tickets">;
  notifications: Pick<Notifications, "accept">;
  /** How long somebody who is in the room has to read it, and is then not told. */
  seenMs: number;
  onError: (error: unknown) => void;
}

/** Of larger rooms, only so many members are looked through for a name. */
const membersMax = 1_000;
const namesForMs = 10_000;
const roomsKept = 500;
const titleChars = 200;
const bodyChars = 300;

export function listenToSaid({ bus, store, notifications, seenMs, onError }: SaidOptions): { stop(): Promise<void> } {
  const names = new Map<number, { atMs: number; people: Named[] }>();

  const peopleOf = async (key: number): Promise<Named[]> => {
    const known = names.get(key);
    if (known && Date.now() - known.atMs < namesForMs) return known.people;
    const members = await store.rooms.members(key, { after: null, limit: membersMax });
    const users = await store.users.find(members.map(({ user }) => user));
    const people = members.map(({ user }, i) => ({ id: user, name: users[i]?.name ?? user }));
    if (names.size >= roomsKept) names.clear();
    names.set(key, { atMs: Date.now(), people });
    return people;
  };

  const recipients = async ({ why, room, key, sender, text }: Said): Promise<string[]> => {
    if (why === "ticket") {
      const ticket = await store.tickets.find(room);
      const both = ticket ? [ticket.asker, ticket.agent] : [];
      return both.filter((user): user is string => user !== null && user !== sender.id);
    }
    const people = await peopleOf(key);
    return (why === "direct" ? people : mentioned(text, people)).map(({ id }) => id).filter((id) => id !== sender.id);
  };

  const titles = { direct: "wrote to you", mention: "mentioned you", ticket: "answered in the help centre" };

  const take = async (said: Said): Promise<void> => {
    const { why, room, key, seq } = said;
    for (const user of await recipients(said)) {
      const member = await store.rooms.member(key, user);
      if (!member?.member || member.lastRead >= seq) continue;
      // Of a conversation one is told once, until one has looked: by the read mark, not by each message.
      const dedupeKey = why === "mention" ? `said:${key}:${seq}` : `said:${key}:after:${member.lastRead}`;
      const asked: NewNotification = {
        fingerprint: null,
        ...{ user, kind: why, room, dedupeKey, channels: null },
        title: oneLine(`${said.sender.name} ${titles[why]}`, titleChars),
        body: oneLine(said.text, bodyChars),
        data: JSON.stringify({ room, seq, sender: said.sender }),
        atMs: Date.now() + seenMs,
        unlessRead: { key, seq },
      };
      await notifications.accept(asked);
    }
  };

  const takeTimer = async ({ room, key, version, users, phase, round }: TimerFinished): Promise<void> => {
    const what = phase === "focus" ? `Focus ${round} is over` : "The break is over";
    for (const user of users) {
      await notifications.accept({
        ...{ user, kind: "timer", room, channels: null, atMs: null, unlessRead: null },
        title: what,
        body: oneLine(room, bodyChars),
        data: JSON.stringify({ room }),
        dedupeKey: `timer:${key}:${version}`,
        fingerprint: null,
      });
    }
  };

  const timers = bus.nc.subscribe(subjects.timerFinished(), {
    queue: notifyGroup,
    callback: (error, msg) => {
      if (!error) takeTimer(msg.json<TimerFinished>()).then(() => msg.respond(), onError);
    },
  });
  const messages = bus.nc.subscribe(subjects.said(), {
    queue: notifyGroup,
    callback: (error, msg) => {
      if (error) return;
      const all = msg.json<Said[]>();
      // Answered only when all are recorded: else whoever asks sends them again.
      Promise.all(all.map(take)).then(() => msg.respond(), onError);
    },
  });
  return {
    async stop() {
      await Promise.all([messages.drain(), timers.drain()]);
    },
  };
}
