/** Who types where. Typing ends by itself, by a message, or with the session; nothing of it is stored. */
import { type Bus, ByteWriter, subjects, writePassingExcept } from "@parley/bus";
import { limits } from "@parley/protocol";
import { roomEventFrame } from "./frames.ts";
import type { HubRoom } from "./hub.ts";
import type { Session } from "./session.ts";

export interface Typing {
  set(session: Session, room: HubRoom, typing: boolean): void;
  /** Ends what a session that leaves was typing. */
  end(session: Session, room?: HubRoom): void;
  sweep(nowMs: number): void;
}

export function createTyping(bus: Bus): Typing {
  const typing = new Map<Session, Map<HubRoom, number>>();
  const writer = new ByteWriter(1024);

  const tell = (session: Session, room: HubRoom, value: boolean) => {
    const data = `{"user":${session.senderJson},"typing":${value}}`;
    writePassingExcept(writer, room.tag, session.id, roomEventFrame("typing", room.nameJson, data));
    bus.publish(subjects.roomFromGateway(room.name), writer.take());
  };

  const stop = (session: Session, room: HubRoom) => {
    const rooms = typing.get(session);
    if (!rooms?.delete(room)) return;
    if (rooms.size === 0) typing.delete(session);
    tell(session, room, false);
  };

  return {
    set(session, room, value) {
      if (!value) return stop(session, room);
      let rooms = typing.get(session);
      if (!rooms) {
        rooms = new Map();
        typing.set(session, rooms);
      }
      rooms.set(room, performance.now() + limits.typingMs);
      tell(session, room, true);
    },
    end(session, room) {
      if (typing.size === 0) return;
      if (room) return stop(session, room);
      for (const each of [...(typing.get(session)?.keys() ?? [])]) stop(session, each);
    },
    sweep(nowMs) {
      for (const [session, rooms] of typing)
        for (const [room, endsAtMs] of rooms) if (endsAtMs <= nowMs) stop(session, room);
    },
  };
}
