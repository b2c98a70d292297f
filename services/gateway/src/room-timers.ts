/**
 * Rooms' timers at this node. [T1] holds here whatever workers do: of each room only what comes later in the timer's own order
 * goes out, so a worker that was stopped and woke up, or a second one, changes nothing that anybody sees.
 */
import { type JsonAnswer, type TimerNow, type TimerRequest, Unanswered } from "@parley/bus";
import type { HubRoom } from "./hub.ts";
import type { Session } from "./session.ts";

export interface RoomTimersOptions {
  publish: (room: HubRoom, frame: Uint8Array) => void;
  ask: (room: string, request: TimerRequest) => Promise<JsonAnswer>;
  onError: (error: unknown, what: string) => void;
}

export interface RoomTimers {
  /** A frame came over the room's subject. */
  heard(room: HubRoom, order: number, frame: Uint8Array): void;
  /** The session listens to the room from now on, and is shown its timer. */
  show(room: HubRoom, session: Session): void;
}

export function createRoomTimers({ publish, ask, onError }: RoomTimersOptions): RoomTimers {
  const heard = (room: HubRoom, order: number, frame: Uint8Array) => {
    if (order <= room.timerOrder) return;
    room.timerOrder = order;
    publish(room, frame);
  };

  const show = async (room: HubRoom, session: Session) => {
    const heardUpTo = room.timerOrder;
    const answer = await ask(room.name, { kind: "peek", room: room.name });
    if (answer.kind !== "json") return;
    const now = JSON.parse(answer.json) as TimerNow | null;
    // Behind the room's time: the session has heard the later frame itself.
    if (!now || now.tag !== room.tag || room.key === null || now.order < room.timerOrder) return;
    if (now.order === room.timerOrder) {
      // What the room was told while the answer was under way the session has heard with it.
      if (room.timerOrder === heardUpTo && room.listeners.has(session)) session.link.send(now.frame);
    } else heard(room, now.order, Buffer.from(now.frame));
  };

  return {
    heard,
    show: (room, session) =>
      void show(room, session).catch((error) => {
        // No worker lives: its timers don't tick either, and the next one that does shows them all.
        if (!(error instanceof Unanswered)) onError(error, "a room's timer could not be shown");
      }),
  };
}
