/** Presence as a client meets it: who is here, a status of one's own, events for others. */
import {
  type ActivePage,
  type Bus,
  ByteWriter,
  type EmitReport,
  emit,
  hasRight,
  type JsonAnswer,
  type PresenceRequest,
  type Requester,
  recordKinds,
  shardOf,
  subjects,
  Unanswered,
  writeRecord,
} from "@parley/bus";
import { type ActiveUsersData, type ClientEvent, type Emit, limits, Refusal } from "@parley/protocol";
import { roomEventFrame } from "./frames.ts";
import type { HubRoom } from "./hub.ts";
import { type PresenceReport, PresenceUnavailable } from "./presence-report.ts";
import type { Session } from "./session.ts";

export interface PresenceOptions {
  bus: Bus;
  requester: Requester<PresenceRequest, JsonAnswer>;
  report: PresenceReport;
}

/** Each rejects with a Refusal or Unavailable. */
export interface Presence {
  report: PresenceReport;
  /** The first page for who registers; without presence, the session's own user alone. */
  firstPage(session: Session): Promise<ActiveUsersData>;
  activeUsers(session: Session, event: Extract<ClientEvent, { event: "ActiveUsers" }>): Promise<ActivePage>;
  setStatus(session: Session, event: Extract<ClientEvent, { event: "SetStatus" }>): Promise<void>;
  /** To a room: only once the room's worker has let it (speak.ts). */
  emit(session: Session, event: Emit): Promise<Pick<EmitReport, "sessions"> & Partial<EmitReport>>;
  /** A Heartbeat came. */
  awake(session: Session): void;
  /** Who sent no Heartbeat for long is away. */
  sweep(sessions: Iterable<Session>, nowMs: number): void;
}

const firstPageUsers = 50;
/** A room's count of sessions may be as old as this. */
const countMs = 1_000;
const maxCounts = 1_000;

export function createPresence({ bus, requester, report }: PresenceOptions): Presence {
  const writer = new ByteWriter(1024);
  const counts = new Map<string, { atMs: number; count: Promise<number> }>();

  const ask = <Answer>(shard: number, request: PresenceRequest) =>
    new Promise<Answer>((resolve, reject) => {
      if (report.frozen()) return reject(new PresenceUnavailable("Presence is frozen"));
      requester.ask(shard, request, (answer) => {
        if (answer instanceof Unanswered) reject(new PresenceUnavailable(answer.message));
        else if (answer.kind === "json") resolve(JSON.parse(answer.json) as Answer);
        else if (answer.code === "unavailable") reject(new PresenceUnavailable(answer.error));
        else reject(new Refusal(answer.code, answer.error));
      });
    });

  /** A page as it is with this session in it. */
  const page = async (
    session: Session,
    room: string | null,
    next: string | null,
    limit: number,
  ): Promise<ActivePage> => {
    await report.settled(session);
    return ask<ActivePage>(shardOf(session.user?.id ?? ""), { kind: "active", room, next, limit });
  };

  const alone = ({ user, idle, choice }: Session): ActiveUsersData => {
    const { id, name, guest } = user as NonNullable<Session["user"]>;
    const status = choice?.status ?? (idle ? "away" : "online");
    const self = { id, name, guest, status, lastSeenAt: new Date().toISOString(), info: null, devices: 1 };
    return { users: [self], total: 1, next: null, frozen: true };
  };

  const countIn = (room: HubRoom): Promise<number> => {
    const nowMs = performance.now();
    const known = counts.get(room.name);
    if (known && nowMs - known.atMs < countMs) return known.count;
    if (counts.size >= maxCounts) counts.clear();
    const count = ask<{ sessions: number }>(shardOf(room.name), { kind: "count", room: room.name }).then(
      ({ sessions }) => Math.max(sessions, room.listeners.size),
      // Presence is away: the event is none the less sent, and counted here alone.
      () => room.listeners.size,
    );
    counts.set(room.name, { atMs: nowMs, count });
    return count;
  };

  const emitToRoom = async (session: Session, name: string, { name: event, dataJson }: Emit) => {
    const room = session.rooms.get(name);
    if (!room) throw new Refusal("forbidden", "Join the room first");
    const from = `${dataJson},"sender":${session.senderJson},"type":"room"`;
    writeRecord(writer, recordKinds.passing, room.tag, 0, roomEventFrame(event, room.nameJson, from));
    bus.publish(subjects.roomFromGateway(name), writer.take());
    return { sessions: await countIn(room) };
  };

  return {
    report,
    async firstPage(session) {
      try {
        return await within(page(session, null, null, firstPageUsers));
      } catch (error) {
        if (error instanceof PresenceUnavailable) return alone(session);
        throw error;
      }
    },
    activeUsers(session, { room, next, limit }) {
      if (room !== null && !session.rooms.has(room))
        return Promise.reject(new Refusal("forbidden", "Join the room first"));
      return page(session, room, next, limit);
    },
    async setStatus(session, { status, text }) {
      if (report.frozen()) throw new PresenceUnavailable("Presence is frozen");
      session.choice = { status, text, atMs: Date.now() };
      report.changed(session);
      await report.settled(session);
    },
    async emit(session, event) {
      const { to } = event;
      if ("room" in to) return emitToRoom(session, to.room, event);
      const { id, name, rights } = session.user as NonNullable<Session["user"]>;
      const right = "users" in to ? "emit:users" : "emit:all";
      if (!hasRight(rights, right))
        throw new Refusal(
          "forbidden",
          `To emit to ${"users" in to ? "users" : "all"}, a token with the right ${right} is needed`,
        );
      const data: unknown = JSON.parse(event.dataJson);
      const told = await emit(bus, { to, event: event.name, data, sender: { id, name } });
      return "users" in to ? told : { sessions: told.sessions };
    },
    awake(session) {
      if (!session.idle) return;
      session.idle = false;
      report.changed(session);
    },
    sweep(sessions, nowMs) {
      for (const session of sessions) {
        if (session.idle || session.stage !== "registered") continue;
        if (nowMs - session.lastHeartbeatMs < limits.awayAfterMs) continue;
        session.idle = true;
        report.changed(session);
      }
    },
  };
}

const pageMs = 1_500;

/** Registering waits for presence only so long. */
async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, pageMs, new PresenceUnavailable("Presence did not answer in time"));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
