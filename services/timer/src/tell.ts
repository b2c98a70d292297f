/** What the room hears of its timer, as records that gateways let through in the order of their place only. */
import { type Bus, ByteWriter, epochTag, recordKinds, subjects, timerOrder, writeRecord } from "@parley/bus";
import { formatDuration } from "@parley/protocol";
import { secondsShown, viewOf } from "./countdown.ts";
import type { Timer } from "./timer-record.ts";

/** All of a timer's frames of one version; only what remains differs between them. */
export interface Face {
  readonly subject: string;
  readonly tag: number;
  readonly version: number;
  frame(remainingMs: number): string;
}

export function faceOf(timer: Timer): Face {
  const roomJson = JSON.stringify(timer.room);
  // Taken apart around what remains, so that a tick costs two short pieces and no JSON.stringify.
  const mark = '"remainingMs":';
  const view = JSON.stringify(viewOf(timer, 0));
  const at = view.indexOf(mark) + mark.length;
  const before = `{"eventType":"ServerEvent","event":"timer","room":${roomJson},"success":true,"data":"`;
  const between = `","error":null,"timer":${view.slice(0, at)}`;
  const after = `${view.slice(at + 1)}}`;
  return {
    subject: subjects.room(timer.room),
    tag: epochTag(timer.key),
    version: timer.version,
    frame: (remainingMs) => `${before}${formatDuration(remainingMs)}${between}${Math.ceil(remainingMs)}${after}`,
  };
}

export const orderAt = (version: number, remainingMs: number): number => timerOrder(version, secondsShown(remainingMs));

export interface Tell {
  /** A frame that the next one makes needless: not kept for a NATS that is away, where seconds of all rooms would pile up. */
  tick(face: Face, remainingMs: number): void;
  frame(face: Face, remainingMs: number): void;
  /** The end: the last frame, then `timer.finished`. */
  finished(timer: Timer): void;
  /** To the other workers: whoever holds the timer reads it again. */
  changed(room: string): void;
}

/** What goes between workers on `subjects.timerChanged()`. */
export interface TimerChanged {
  room: string;
  /** Who made the change, and so knows it. */
  worker: string;
}

export function createTell(bus: Bus, worker: string): Tell {
  const writer = new ByteWriter(1_024);
  const frame = (face: Face, remainingMs: number) => {
    const order = orderAt(face.version, remainingMs);
    writeRecord(writer, recordKinds.timer, face.tag, order, face.frame(remainingMs));
    bus.publish(face.subject, writer.take());
  };
  return {
    frame,
    tick(face, remainingMs) {
      if (bus.isConnected()) frame(face, remainingMs);
    },
    finished(timer) {
      const face = faceOf(timer);
      const data = JSON.stringify({ room: timer.room, timer: viewOf(timer, 0) });
      const event = `{"eventType":"ServerEvent","event":"timer.finished","room":${JSON.stringify(timer.room)},"data":${data}}`;
      writeRecord(writer, recordKinds.timer, face.tag, orderAt(timer.version, 0), face.frame(0));
      writeRecord(writer, recordKinds.timer, face.tag, timerOrder(timer.version, 0, true), event);
      bus.publish(face.subject, writer.take());
    },
    changed: (room) => bus.publish(subjects.timerChanged(), JSON.stringify({ room, worker } satisfies TimerChanged)),
  };
}
