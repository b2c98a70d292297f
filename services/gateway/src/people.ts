/** Which sessions are whose on this node, and which rooms their members should hear of as unread. */

import type { Subscription } from "@nats-io/nats-core";
import {
  type Bus,
  type ChatAnswer,
  type ChatAsk,
  type GatewayOrder,
  hasRightIn,
  partitionOf,
  subjects,
} from "@parley/bus";
import { roomEventFrame } from "./frames.ts";
import type { Session } from "./session.ts";
import type { Spread } from "./spread.ts";

export interface PeopleOptions {
  bus: Bus;
  node: string;
  spread: Spread;
  ask: (partition: number, request: ChatAsk) => Promise<ChatAnswer>;
  onRevoke: (order: Extract<GatewayOrder, { order: "revoke" }>) => void;
  onError: (error: unknown, what: string) => void;
}

export interface People {
  /** The session is this user's, who is a member of these rooms. */
  add(session: Session, memberships: string[]): void;
  remove(session: Session): void;
  sessionsOf(user: string): Iterable<Session>;
  byId(session: string): Session | undefined;
  all(): Iterable<Session>;
  countOf(user: string): number;
  count(): number;
  close(): void;
}

interface Person {
  sessions: Set<Session>;
  rooms: Set<string>;
}

const unreadPerRequest = 500;

export function createPeople({ bus, node, spread, ask, onRevoke, onError }: PeopleOptions): People {
  const people = new Map<string, Person>();
  const byId = new Map<string, Session>();
  /** Members on this node, by room, whether they listen or not. */
  const members = new Map<string, Set<string>>();
  const partitions = new Map<number, { rooms: number; subscription: Subscription }>();
  /** Rooms whose members are being told; true when something happened since. */
  const telling = new Map<string, boolean>();

  const watch = (room: string, user: string) => {
    let users = members.get(room);
    if (!users) {
      users = new Set();
      members.set(room, users);
      const partition = partitionOf(room);
      const watched = partitions.get(partition);
      if (watched) watched.rooms++;
      else partitions.set(partition, { rooms: 1, subscription: listenTo(partition) });
    }
    users.add(user);
  };

  const unwatch = (room: string, user: string) => {
    const users = members.get(room);
    if (!users?.delete(user) || users.size > 0) return;
    members.delete(room);
    const partition = partitionOf(room);
    const watched = partitions.get(partition);
    if (watched && --watched.rooms === 0) {
      watched.subscription.unsubscribe();
      partitions.delete(partition);
    }
  };

  const listenTo = (partition: number) =>
    bus.nc.subscribe(subjects.activity(partition), {
      callback: (error, msg) => {
        if (error) return;
        for (const room of msg.json<string[]>()) if (members.has(room)) void tellUnread(room);
      },
    });

  /** Tells those members of the room who don't listen to it; one telling a room at a time, the next one has it all. */
  const tellUnread = async (room: string) => {
    if (telling.has(room)) return void telling.set(room, true);
    telling.set(room, false);
    try {
      const users = [...(members.get(room) ?? [])].filter((user) => elsewhere(user, room).length > 0);
      for (let i = 0; i < users.length; i += unreadPerRequest) {
        const some = users.slice(i, i + unreadPerRequest);
        const answer = await ask(partitionOf(room), { kind: "unread", items: some.map((user) => ({ room, user })) });
        if (answer.kind !== "json") continue;
        const counts = JSON.parse(answer.json) as number[];
        const roomJson = JSON.stringify(room);
        some.forEach((user, n) => {
          const frame = roomEventFrame("unread", roomJson, `{"room":${roomJson},"unread":${counts[n] ?? 0}}`);
          if (counts[n]) for (const session of elsewhere(user, room)) session.link.send(frame);
        });
      }
    } catch (error) {
      onError(error, "members could not be told of unread messages");
    } finally {
      const more = telling.get(room);
      telling.delete(room);
      if (more) void tellUnread(room);
    }
  };

  const elsewhere = (user: string, room: string): Session[] =>
    [...(people.get(user)?.sessions ?? [])].filter(
      (session) => !session.rooms.has(room) && hasRightIn(session.user?.rights ?? "", "join", room),
    );

  const orders = [subjects.gateways(), subjects.gateway(node)].map((subject) =>
    bus.nc.subscribe(subject, {
      callback: (error, msg) => {
        if (!error) obey(msg.json<GatewayOrder>());
      },
    }),
  );

  const obey = (order: GatewayOrder) => {
    if (order.order === "users") {
      for (const user of order.users)
        for (const session of people.get(user)?.sessions ?? [])
          if (session.id !== order.exceptSession) session.link.send(order.frame);
      return;
    }
    if (order.order === "all") return spread([...byId.values()], order.frame);
    if (order.order === "revoke") return onRevoke(order);
    const person = people.get(order.user);
    if (!person) return;
    if (order.order === "disconnect") {
      for (const session of person.sessions) session.link.close("removed");
      return;
    }
    if (order.member) {
      person.rooms.add(order.room);
      watch(order.room, order.user);
    } else {
      person.rooms.delete(order.room);
      unwatch(order.room, order.user);
    }
  };

  return {
    add(session, memberships) {
      const user = (session.user as NonNullable<Session["user"]>).id;
      byId.set(session.id, session);
      let person = people.get(user);
      if (!person) {
        person = { sessions: new Set(), rooms: new Set() };
        people.set(user, person);
      }
      person.sessions.add(session);
      for (const room of memberships) {
        if (person.rooms.has(room)) continue;
        person.rooms.add(room);
        watch(room, user);
      }
    },
    remove(session) {
      byId.delete(session.id);
      const user = session.user?.id;
      const person = user === undefined ? undefined : people.get(user);
      if (!person || user === undefined || !person.sessions.delete(session) || person.sessions.size > 0) return;
      people.delete(user);
      for (const room of person.rooms) unwatch(room, user);
    },
    sessionsOf: (user) => people.get(user)?.sessions ?? [],
    byId: (id) => byId.get(id),
    all: () => byId.values(),
    countOf: (user) => people.get(user)?.sessions.size ?? 0,
    count: () => byId.size,
    close: () => {
      for (const subscription of orders) subscription.unsubscribe();
      for (const { subscription } of partitions.values()) subscription.unsubscribe();
    },
  };
}
