/**
 * The rooms that somebody on this node listens to. A room's entries go out in order and once: repeats are dropped, a
 * missing number stops the room until it was fetched, and a lost last entry is found by comparing heads.
 */

import type { Subscription } from "@nats-io/nats-core";
import {
  type Bus,
  type ChatAnswer,
  type ChatAsk,
  epochOf,
  epochTag,
  isFromGateway,
  partitionOf,
  readRecords,
  recordKinds,
  splitPassingExcept,
  subjects,
  traceparentOf,
} from "@parley/bus";
import { roomEventFrame } from "./frames.ts";
import type { Session } from "./session.ts";

export interface HubRoom {
  readonly name: string;
  readonly nameJson: string;
  /** Short name of the room for uWebSockets' own publish. */
  readonly topic: string;
  readonly subscription: Subscription;
  /** Which incarnation of the room this is; null until the first join was answered. */
  key: number | null;
  /** The key as records carry it. */
  tag: number;
  /** The last entry that went out. */
  last: number;
  /** The highest entry known to exist. */
  head: number;
  listeners: Set<Session>;
  /** Joins under way: the room stays open for them. */
  opening: number;
  /** Entries that came too early, by seq. */
  early: Map<number, Uint8Array>;
  /**
   * Listeners that can't take the room's frames yet: they joined at a head that has not gone out (they begin right after
   * it), or behind what has (they get the rest by themselves first: `catchingUp`).
   */
  waiting: Waiting[];
  filling: boolean;
  /** Place of the timer's frame that went out last; 0 before the first. */
  timerOrder: number;
}

interface Waiting {
  session: Session;
  from: number;
  catchingUp: boolean;
}

export interface HubCounts {
  records: number;
  gapsFilled: number;
  repeatsDropped: number;
  /** Frames of rooms handed to listeners. */
  deliveries: number;
}

export interface HubOptions {
  bus: Bus;
  /** Sends a frame to all on this node who listen to the room. */
  publish: (room: HubRoom, frame: Uint8Array) => void;
  ask: (partition: number, request: ChatAsk) => Promise<ChatAnswer>;
  sessionById: (id: string) => Session | undefined;
  /** A user's sessions on this node. */
  sessionsOf: (user: string) => Iterable<Session>;
  /** The session listens to other rooms than before. */
  onRooms?: (session: Session) => void;
  /** The session gets the room's frames from now on. */
  listening: (room: HubRoom, session: Session) => void;
  /** A frame of this room's timer, and its place. */
  timer: (room: HubRoom, order: number, frame: Uint8Array) => void;
  onError: (error: unknown, what: string) => void;
}

export interface Hub {
  /** Opens a room for a join; every `open` needs an `enter` or a `cancel`. */
  open(name: string): HubRoom;
  cancel(room: HubRoom): void;
  /** The join was answered: the session hears of everything after `head`. Its reply must have been handed over. */
  enter(room: HubRoom, session: Session, key: number, head: number): void;
  leave(room: HubRoom, session: Session): void;
  room(name: string): HubRoom | undefined;
  rooms(): number;
  counts: HubCounts;
  /** Compares all heads with the store's, and fetches what is missing. */
  compareHeads(): Promise<void>;
}

const headsPerRequest = 200;
const maxEarly = 1_000;
const retryFillMs = 500;

export function createHub(options: HubOptions): Hub {
  const { bus, publish, ask } = options;
  const rooms = new Map<string, HubRoom>();
  const counts: HubCounts = { records: 0, gapsFilled: 0, repeatsDropped: 0, deliveries: 0 };
  let nextTopic = 1;

  const open = (name: string): HubRoom => {
    let room = rooms.get(name);
    if (!room) {
      const made: HubRoom = {
        name,
        nameJson: JSON.stringify(name),
        topic: (nextTopic++).toString(36),
        subscription: bus.nc.subscribe(subjects.roomFromAll(name), {
          callback: (error, msg) => {
            if (error) return;
            const trace = bus.tracing ? traceparentOf(msg.headers) : null;
            const span = trace ? bus.tracing?.follow(trace, "gateway: deliver") : null;
            receive(made, msg.data, isFromGateway(msg.subject));
            span?.end();
          },
        }),
        key: null,
        tag: 0,
        last: 0,
        head: 0,
        listeners: new Set(),
        opening: 0,
        early: new Map(),
        waiting: [],
        filling: false,
        timerOrder: 0,
      };
      room = made;
      rooms.set(name, room);
    }
    room.opening++;
    return room;
  };

  const closeIfEmpty = (room: HubRoom) => {
    if (room.opening > 0 || room.listeners.size > 0) return;
    room.subscription.unsubscribe();
    if (rooms.get(room.name) === room) rooms.delete(room.name);
  };

  const receive = (room: HubRoom, payload: Uint8Array, fromGateway: boolean) => {
    try {
      readRecords(payload, (kind, tag, seq, frame) => {
        counts.records++;
        // The log, and who may listen, is for workers to say.
        if (fromGateway && kind !== recordKinds.passing && kind !== recordKinds.passingExcept) return;
        if (kind === recordKinds.entry) entry(room, tag, seq, frame);
        else if (kind === recordKinds.timer) {
          if (room.key !== null && tag === room.tag) options.timer(room, seq, frame);
        } else passing(room, kind, tag, frame);
      });
    } catch (error) {
      options.onError(error, "a room's record could not be read");
    }
  };

  const entry = (room: HubRoom, tag: number, seq: number, frame: Uint8Array) => {
    if (room.key === null) return keepEarly(room, seq, frame);
    if (tag !== room.tag) {
      // A deleted room's straggler, or the first of a new one whose reset was lost: the store knows.
      void compare([room]);
      return;
    }
    if (seq <= room.last) {
      counts.repeatsDropped++;
      return;
    }
    if (seq === room.last + 1) {
      goOut(room, seq, frame);
      if (room.early.size > 0) goOutEarly(room);
      return;
    }
    keepEarly(room, seq, frame);
    noteHead(room, seq);
  };

  const keepEarly = (room: HubRoom, seq: number, frame: Uint8Array) => {
    // A copy: the frame is a view into the connection's buffer. Beyond the bound, the store has it anyway.
    if (room.early.size < maxEarly) room.early.set(seq, Uint8Array.from(frame));
  };

  const goOut = (room: HubRoom, seq: number, frame: Uint8Array) => {
    room.last = seq;
    if (seq > room.head) room.head = seq;
    const ready = room.listeners.size - room.waiting.length;
    if (ready > 0) {
      counts.deliveries += ready;
      publish(room, frame);
    }
    if (room.waiting.length > 0) admit(room);
  };

  const goOutEarly = (room: HubRoom) => {
    for (;;) {
      const frame = room.early.get(room.last + 1);
      if (!frame) break;
      room.early.delete(room.last + 1);
      goOut(room, room.last + 1, frame);
    }
    if (room.early.size > 0) for (const seq of room.early.keys()) if (seq <= room.last) room.early.delete(seq);
  };

  const listen = (room: HubRoom, session: Session) => {
    session.link.listen(room);
    options.listening(room, session);
  };

  /** Lets those in whose head has gone out. */
  const admit = (room: HubRoom) => {
    room.waiting = room.waiting.filter(({ session, from, catchingUp }) => {
      if (catchingUp || from > room.last) return true;
      listen(room, session);
      return false;
    });
  };

  const passing = (room: HubRoom, kind: number, tag: number, content: Buffer) => {
    if (kind === recordKinds.passing || kind === recordKinds.passingExcept) counts.deliveries += room.listeners.size;
    if (kind === recordKinds.passing) publish(room, content);
    else if (kind === recordKinds.passingExcept) {
      const { session: id, frame } = splitPassingExcept(content);
      const session = options.sessionById(id);
      if (session && room.listeners.has(session)) session.link.sendToOthers(room, frame);
      else publish(room, frame);
    } else if (kind === recordKinds.reset) {
      if (room.key === null || room.tag === tag) reset(room, null);
    } else if (kind === recordKinds.removed) {
      const user = content.toString("utf8");
      for (const session of options.sessionsOf(user)) {
        if (!room.listeners.has(session)) continue;
        const data = JSON.stringify({ user: { id: user }, removed: true });
        session.link.send(roomEventFrame("room.left", room.nameJson, data));
        leave(room, session);
      }
    }
  };

  /** The room's log was thrown away: its listeners are told, and put out. */
  const reset = (room: HubRoom, epoch: string | null) => {
    const frame = roomEventFrame("room.reset", room.nameJson, JSON.stringify({ epoch }));
    for (const session of [...room.listeners]) {
      session.link.send(frame);
      leave(room, session);
    }
    room.key = null;
    room.timerOrder = 0;
    room.early.clear();
    closeIfEmpty(room);
  };

  const leave = (room: HubRoom, session: Session) => {
    if (session.rooms.delete(room.name)) options.onRooms?.(session);
    if (!room.listeners.delete(session)) return;
    session.link.unlisten(room);
    if (room.waiting.length > 0) room.waiting = room.waiting.filter((waiting) => waiting.session !== session);
    closeIfEmpty(room);
  };

  const noteHead = (room: HubRoom, head: number) => {
    if (head > room.head) room.head = head;
    if (room.head > room.last) void fill(room);
  };

  /** Fetches what is missing, until nothing is. */
  const fill = async (room: HubRoom) => {
    if (room.filling) return;
    room.filling = true;
    try {
      while (room.head > room.last && rooms.get(room.name) === room && room.key !== null) {
        const before = room.last;
        const answer = await ask(partitionOf(room.name), { kind: "fill", room: room.name, after: before });
        if (answer.kind === "bytes") {
          readRecords(answer.bytes, (_kind, tag, seq, frame) => {
            if (tag !== room.tag) return;
            if (seq > room.last + 1) skipForgotten(room, seq);
            if (seq === room.last + 1) {
              counts.gapsFilled++;
              goOut(room, seq, frame);
            }
          });
          goOutEarly(room);
        }
        // The store is away, or the room: try again, or learn from the next comparison.
        if (room.last === before) {
          await new Promise((resolve) => setTimeout(resolve, retryFillMs));
          await compare([room]);
        }
      }
    } catch (error) {
      options.onError(error, "a gap could not be filled; the next comparison tries again");
    } finally {
      room.filling = false;
    }
  };

  /** Entries that are no longer kept can't be told: never silently. */
  const skipForgotten = (room: HubRoom, seq: number) => {
    const data = JSON.stringify({ epoch: epochOf(room.key as number) });
    publish(room, Buffer.from(roomEventFrame("room.reset", room.nameJson, data)));
    room.last = seq - 1;
    admit(room);
  };

  /** A session that joined behind what has gone out gets the rest by itself, and then listens. */
  const catchUp = async (room: HubRoom, waiting: Waiting) => {
    const { session } = waiting;
    const still = () => room.waiting.includes(waiting);
    while (still() && waiting.from < room.last) {
      const before = waiting.from;
      const answer = await ask(partitionOf(room.name), { kind: "fill", room: room.name, after: before });
      if (!still()) return;
      if (answer.kind === "bytes") {
        readRecords(answer.bytes, (_kind, tag, seq, frame) => {
          if (tag !== room.tag || seq !== waiting.from + 1 || seq > room.last) return;
          session.link.send(frame.toString("utf8"));
          waiting.from = seq;
        });
      }
      if (waiting.from === before) await new Promise((resolve) => setTimeout(resolve, retryFillMs));
    }
    if (!still()) return;
    session.link.flush();
    waiting.catchingUp = false;
    admit(room);
  };

  const enter = (opened: HubRoom, session: Session, key: number, head: number) => {
    let room = opened;
    room.opening--;
    if (room.key !== null && room.key !== key) reset(room, epochOf(key));
    if (session.stage !== "registered" && session.stage !== "registering") return closeIfEmpty(room);
    if (rooms.get(room.name) !== room) {
      // The reset closed it: begin anew.
      room = open(room.name);
      room.opening--;
    }
    if (room.key === null) {
      room.key = key;
      room.tag = epochTag(key);
      room.last = head;
      if (head > room.head) room.head = head;
      goOutEarly(room);
    }
    session.rooms.set(room.name, room);
    options.onRooms?.(session);
    if (room.listeners.has(session)) return;
    room.listeners.add(session);
    session.link.flush();
    if (head === room.last) return listen(room, session);
    const waiting: Waiting = { session, from: head, catchingUp: head < room.last };
    room.waiting.push(waiting);
    if (waiting.catchingUp)
      catchUp(room, waiting).catch((error) => options.onError(error, "a session could not catch up"));
    else noteHead(room, head);
  };

  const compare = async (some: HubRoom[]) => {
    const answer = await ask(partitionOf((some[0] as HubRoom).name), {
      kind: "heads",
      rooms: some.map(({ name }) => name),
    });
    if (answer.kind !== "json") return;
    const heads = JSON.parse(answer.json) as ([key: number, seq: number] | null)[];
    some.forEach((room, i) => {
      const head = heads[i];
      if (rooms.get(room.name) !== room || room.key === null) return;
      if (!head || head[0] !== room.key) reset(room, head ? epochOf(head[0]) : null);
      else noteHead(room, head[1]);
    });
  };

  return {
    open,
    enter,
    leave,
    counts,
    cancel: (room) => {
      room.opening--;
      closeIfEmpty(room);
    },
    room: (name) => rooms.get(name),
    rooms: () => rooms.size,
    async compareHeads() {
      const byPartition = new Map<number, HubRoom[]>();
      for (const room of rooms.values()) {
        if (room.key === null) continue;
        const partition = partitionOf(room.name);
        const list = byPartition.get(partition);
        if (list) list.push(room);
        else byPartition.set(partition, [room]);
      }
      const requests: Promise<void>[] = [];
      for (const list of byPartition.values())
        for (let i = 0; i < list.length; i += headsPerRequest)
          requests.push(compare(list.slice(i, i + headsPerRequest)));
      await Promise.all(requests);
    },
  };
}
