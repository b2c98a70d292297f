/** Tells gateways: entries and passing events on the rooms' subjects, orders to all gateways. */
import {
  type Bus,
  ByteWriter,
  type GatewayOrder,
  recordKinds,
  subjects,
  writeEntryRecord,
  writePassingExcept,
  writeRecord,
} from "@parley/bus";
import type { EntryKind } from "@parley/store";
import { eventOf } from "./entry.ts";
import type { RoomState } from "./room-states.ts";

export interface PublishedEntry {
  seq: number;
  kind: EntryKind;
  body: string;
}

/** A frame up to the entry's seq. */
const entryPrefix = (state: { nameJson: string }, kind: EntryKind): string =>
  `{"eventType":"ServerEvent","event":"${eventOf[kind]}","room":${state.nameJson},"seq":`;

const maxPayloadBytes = 256 * 1024;

/** Records of entries, as gateways send them on. */
export function encodeEntries(
  writer: ByteWriter,
  state: Pick<RoomState, "nameJson" | "tag">,
  entries: PublishedEntry[],
): void {
  for (const { seq, kind, body } of entries) writeEntryRecord(writer, state.tag, seq, entryPrefix(state, kind), body);
}

export interface Deliver {
  /** `traceparent`: of a request that is traced, if one of them is. */
  entries(state: RoomState, entries: PublishedEntry[], traceparent?: string): void;
  /** A passing event for the room's listeners. `data` is JSON. */
  passing(state: RoomState, event: string, dataJson: string, exceptSession?: string): void;
  /** The room is gone: `reset`; or one user may listen no more: `removed`. */
  reset(state: RoomState): void;
  removed(state: RoomState, user: string): void;
  order(order: GatewayOrder): void;
  roomChanged(name: string): void;
}

export function createDeliver(bus: Bus): Deliver {
  const writer = new ByteWriter(8 * 1024);
  const send = (state: RoomState, traceparent?: string) =>
    bus.publish(state.subject, writer.take(), undefined, traceparent);
  return {
    entries(state, entries, traceparent) {
      for (const entry of entries) {
        encodeEntries(writer, state, [entry]);
        if (writer.length > maxPayloadBytes) send(state, traceparent);
      }
      if (writer.length > 0) send(state, traceparent);
    },
    passing(state, event, dataJson, exceptSession) {
      const frame = `{"eventType":"ServerEvent","event":"${event}","room":${state.nameJson},"data":${dataJson}}`;
      if (exceptSession === undefined) writeRecord(writer, recordKinds.passing, state.tag, 0, frame);
      else writePassingExcept(writer, state.tag, exceptSession, frame);
      send(state);
    },
    reset(state) {
      writeRecord(writer, recordKinds.reset, state.tag, 0, "");
      send(state);
    },
    removed(state, user) {
      writeRecord(writer, recordKinds.removed, state.tag, 0, user);
      send(state);
    },
    order: (order) => bus.publish(subjects.gateways(), JSON.stringify(order)),
    roomChanged: (name) => bus.publish(subjects.roomChanged(), name),
  };
}
