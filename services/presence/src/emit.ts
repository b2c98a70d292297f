/** Events for chosen users, for a room, or for everyone: looked up in the directory, one message a gateway. */
import {
  type Bus,
  ByteWriter,
  type EmitAnswer,
  type EmitReport,
  type EmitRequest,
  type GatewayOrder,
  recordKinds,
  subjects,
  writeRecord,
} from "@parley/bus";
import { checkEventName, checkName, checkRoomName, checkUserId, limits, Refusal, Unavailable } from "@parley/protocol";
import { StoreUnavailable, type UserStore } from "@parley/store";
import type { Directory } from "./directory.ts";

export interface EmitOptions {
  bus: Bus;
  directory: Directory;
  users: UserStore;
  onError: (error: unknown, what: string) => void;
}

export interface Emitter {
  /** Rejects with Refusal or Unavailable. */
  emit(request: EmitRequest): Promise<EmitReport>;
  close(): void;
}

/** The ids as they should be, each once. */
function checkUsers(users: unknown): string[] {
  if (!Array.isArray(users) || users.length === 0) throw new Refusal("bad_request", "users must name one user or more");
  if (users.length > limits.emitUsers)
    throw new Refusal(
      "too_large",
      `users may name ${limits.emitUsers} at most, these are ${users.length}: send several`,
    );
  return [...new Set(users.map((id, i) => checkUserId(id, `users[${i}]`)))];
}

/** The frame as clients get it. */
function frameOf({ event, data, sender, ofProtocol }: EmitRequest, type: string, room: string | null): string {
  const name = JSON.stringify(ofProtocol ? checkName(event, "event", limits.eventNameChars) : checkEventName(event));
  const from = sender
    ? JSON.stringify({
        id: checkUserId(sender.id, "sender.id"),
        name: checkName(sender.name, "sender.name", limits.userNameChars),
      })
    : "null";
  const where = room === null ? "" : `,"room":${JSON.stringify(room)}`;
  const who = ofProtocol ? "" : `,"sender":${from},"type":"${type}"`;
  const frame = `{"eventType":"ServerEvent","event":${name}${where},"data":${JSON.stringify(data ?? null)}${who}}`;
  if (Buffer.byteLength(frame) > limits.frameBytes)
    throw new Refusal("too_large", `an event may have ${limits.frameBytes} bytes with its frame`);
  return frame;
}

export function createEmitter({ bus, directory, users, onError }: EmitOptions): Emitter {
  const writer = new ByteWriter(1024);
  const order = (subject: string, what: GatewayOrder) => bus.publish(subject, JSON.stringify(what));

  /** Of those who are not here, the ones nobody has heard of; none while the store can't say. */
  const unknownOf = async (absent: string[]): Promise<string[]> => {
    if (absent.length === 0) return [];
    try {
      const records = await users.find(absent);
      return absent.filter((_, i) => !records[i]);
    } catch (error) {
      if (error instanceof StoreUnavailable) return [];
      throw error;
    }
  };

  const toUsers = async (ids: string[], frame: string): Promise<EmitReport> => {
    const nodes = await directory.nodesOf(ids);
    const absent = ids.filter((_, i) => nodes[i]?.length === 0);
    const unknown = await unknownOf(absent);
    if (unknown.length === ids.length)
      throw new Refusal("not_found", `There is no user ${JSON.stringify(unknown.slice(0, 5).join(", "))}`);
    const byNode = new Map<string, string[]>();
    let sessions = 0;
    for (const [i, id] of ids.entries()) {
      sessions += nodes[i]?.length ?? 0;
      for (const node of new Set(nodes[i])) {
        const list = byNode.get(node);
        if (list) list.push(id);
        else byNode.set(node, [id]);
      }
    }
    for (const [node, some] of byNode) order(subjects.gateway(node), { order: "users", users: some, frame });
    const offline = absent.filter((id) => !unknown.includes(id));
    return { sessions, unknown, offline };
  };

  const emit = async (request: EmitRequest): Promise<EmitReport> => {
    const { to } = request;
    if ("users" in to) return toUsers(checkUsers(to.users), frameOf(request, "users", null));
    if ("room" in to) {
      const room = checkRoomName(to.room);
      const frame = frameOf(request, "room", room);
      const sessions = await directory.countSessions(room);
      // The tag is for records of the log; listeners of whatever incarnation hear a passing one.
      writeRecord(writer, recordKinds.passing, 0, 0, frame);
      bus.publish(subjects.room(room), writer.take());
      return { sessions, unknown: [], offline: [] };
    }
    if (to.all !== true) throw new Refusal("bad_request", "to must be {users}, {room} or {all:true}");
    const frame = frameOf(request, "all", null);
    const sessions = await directory.countSessions(null);
    order(subjects.gateways(), { order: "all", frame });
    return { sessions, unknown: [], offline: [] };
  };

  const answerTo = async (request: EmitRequest): Promise<EmitAnswer> => {
    try {
      return { ok: true, report: await emit(request) };
    } catch (error) {
      if (error instanceof Refusal) return { ok: false, code: error.code, error: error.message };
      if (error instanceof Unavailable) return { ok: false, code: "unavailable", error: error.told };
      onError(error, "an event could not be emitted");
      return { ok: false, code: "internal", error: "Something went wrong on our side" };
    }
  };

  const subscription = bus.nc.subscribe(subjects.emit(), {
    queue: "presence",
    callback: (error, msg) => {
      if (error) return;
      void answerTo(msg.json<EmitRequest>()).then((answer) => msg.respond(JSON.stringify(answer)));
    },
  });

  return { emit, close: () => subscription.unsubscribe() };
}
