/** Every NATS subject of the system is built here and nowhere else. */

const plain = /^[A-Za-z0-9_-]+$/;

/**
 * One subject token for any name a person chose: letters, digits, `_` and `-` stay, every other byte of its UTF-8 becomes
 * `=XX`, so that `.`, `*`, `>`, spaces and line ends never reach NATS.
 */
export function encodeName(name: string): string {
  if (plain.test(name)) return name;
  let token = "";
  for (const byte of Buffer.from(name, "utf8")) {
    const char = String.fromCharCode(byte);
    token += plain.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

/** Workers that own partitions, and to which batches go. */
export type WorkerService = "chat" | "presence" | "timer" | "notify";

export const subjects = {
  /** Entries and passing events of a room, as fan-out records, from those who own the data. */
  room: (name: string) => `parley.room.${encodeName(name)}.worker`,
  /** Passing events of a room from gateways, who may not publish what is in the log. */
  roomFromGateway: (name: string) => `parley.room.${encodeName(name)}.gateway`,
  /** Both, for those who listen. */
  roomFromAll: (name: string) => `parley.room.${encodeName(name)}.*`,
  /** Frames of a raw room: one byte 0 (text) or 1 (binary), then the frame. */
  raw: (name: string) => `parley.raw.${encodeName(name)}`,
  /** Batches for one worker. */
  worker: (service: WorkerService, worker: string) => `parley.${service}.${encodeName(worker)}`,
  /** Each worker's sign of life, once a second. */
  alive: (service: WorkerService) => `parley.alive.${service}`,
  /** A newcomer's question to all workers: who lives? */
  aliveAsk: (service: WorkerService) => `parley.alive-ask.${service}`,
  /** Which rooms of a partition got messages. */
  activity: (partition: number) => `parley.activity.${partition}`,
  /** Where a service answers for its own figures. */
  micro: (service: string, worker: string) => `parley.micro.${encodeName(service)}.${encodeName(worker)}`,
  /** Orders for one gateway. */
  gateway: (node: string) => `parley.gateway.${encodeName(node)}`,
  /** Orders for every gateway. */
  gateways: () => "parley.gateway.all",
  /** A person to be forgotten: ForgetRequest, to be answered. */
  forget: () => "parley.forget",
  /** What is kept of a person, a page at a time: KeptRequest, to be answered. */
  kept: () => "parley.kept",
  /** Which users use much, from each gateway to the others. */
  usage: () => "parley.usage",
  /** Whose presence changed, for every gateway. */
  presence: () => "parley.presence-news",
  /** Requests to send an event to users, a room, or all; one presence worker takes each. */
  emit: () => "parley.emit",
  /** Messages that somebody may have to be told of; one notify worker takes each batch. */
  said: () => "parley.said",
  /** Calls for fallback sessions of one gateway that landed on another. */
  fallback: (node: string) => `parley.fallback.${encodeName(node)}`,
  /** Names of rooms whose record, members or rights were changed: workers forget what they hold of them. */
  roomChanged: () => "parley.room-changed",
  /** Names of rooms whose timer was changed: workers that hold it read it again. */
  timerChanged: () => "parley.timer-changed",
  /** A timer ended, and these want to be notified: TimerFinished, to be answered. */
  timerFinished: () => "parley.timer-finished",
} as const;

/** Whether a room's message came from a gateway: then only passing events count. */
export const isFromGateway = (subject: string): boolean => subject.endsWith(".gateway");

/** Families of subjects, for permissions. */
export const patterns = {
  rooms: () => "parley.room.*.*",
  roomsFromWorkers: () => "parley.room.*.worker",
  roomsFromGateways: () => "parley.room.*.gateway",
  raw: () => "parley.raw.*",
  workers: (service: WorkerService) => `parley.${service}.*`,
  activity: () => "parley.activity.*",
  micro: (service: string) => `parley.micro.${service}.*`,
  gateways: () => "parley.gateway.*",
  fallback: () => "parley.fallback.*",
} as const;

/** Where answers to a service's questions go: nobody else may listen there. */
export const inboxPrefix = (service: string): string => `_INBOX_${service}`;
