/**
 * Who may say and hear what on NATS: each service has a user of its own with nothing but what it needs. Replies go to
 * inboxes whose prefix is the service's own, so that nobody overhears another's; whoever was asked may answer
 * (`allow_responses`) and not write there unasked.
 */
import { inboxPrefix, patterns, subjects, type WorkerService } from "./subjects.ts";

/** `operator`: for `nats micro` and the like, by hand. */
export type BusRole = "gateway" | "chat" | "presence" | "timer" | "notify" | "sms" | "operator";

export interface BusPermissions {
  publish: string[];
  subscribe: string[];
  /** May answer what it was asked. */
  answers: boolean;
}

const workerServices: WorkerService[] = ["chat", "presence", "timer", "notify"];

/** What every worker has that owns partitions: batches to it, its signs of life, and the services framework. */
const worker = (service: WorkerService): BusPermissions => ({
  publish: [subjects.alive(service), subjects.aliveAsk(service)],
  subscribe: [
    patterns.workers(service),
    subjects.alive(service),
    subjects.aliveAsk(service),
    patterns.micro(`parley-${service}`),
    "$SRV.>",
  ],
  answers: true,
});

const and = (base: BusPermissions, more: Partial<BusPermissions>): BusPermissions => ({
  publish: [...base.publish, ...(more.publish ?? [])],
  subscribe: [...base.subscribe, ...(more.subscribe ?? [])],
  answers: base.answers,
});

const none: BusPermissions = { publish: [], subscribe: [], answers: false };

const table: { readonly [role in BusRole]: BusPermissions } = {
  gateway: {
    publish: [
      ...workerServices.flatMap((service) => [patterns.workers(service), subjects.aliveAsk(service)]),
      // Passing events only: entries come on subjects that workers alone may use.
      patterns.roomsFromGateways(),
      patterns.raw(),
      patterns.fallback(),
      subjects.emit(),
      subjects.usage(),
      // A fallback call is answered for as long as the client reads.
      `${inboxPrefix("gateway")}.>`,
    ],
    subscribe: [
      ...workerServices.map((service) => subjects.alive(service)),
      patterns.rooms(),
      patterns.raw(),
      patterns.activity(),
      patterns.gateways(),
      patterns.fallback(),
      subjects.presence(),
      subjects.usage(),
    ],
    answers: false,
  },
  chat: and(worker("chat"), {
    publish: [
      patterns.roomsFromWorkers(),
      patterns.activity(),
      subjects.gateways(),
      subjects.roomChanged(),
      subjects.emit(),
      subjects.forget(),
      subjects.kept(),
      subjects.said(),
    ],
    subscribe: [subjects.roomChanged()],
  }),
  presence: and(worker("presence"), {
    publish: [patterns.roomsFromWorkers(), patterns.gateways(), subjects.presence()],
    subscribe: [subjects.emit()],
  }),
  timer: and(worker("timer"), {
    publish: [patterns.roomsFromWorkers(), subjects.timerChanged(), subjects.timerFinished()],
    subscribe: [subjects.roomChanged(), subjects.timerChanged()],
  }),
  notify: and(worker("notify"), {
    publish: [subjects.gateways(), subjects.emit()],
    subscribe: [subjects.said(), subjects.timerFinished(), subjects.forget(), subjects.kept()],
  }),
  sms: { ...none, publish: [subjects.gateways()] },
  operator: { ...none, publish: ["$SRV.>", patterns.micro("*")] },
};

export const busRoles = Object.keys(table) as BusRole[];

function permissionsOf(role: BusRole): BusPermissions {
  const { publish, subscribe, answers } = table[role];
  return { publish, subscribe: [...subscribe, `${inboxPrefix(role)}.>`], answers };
}

const list = (subjects: string[]): string => `[${subjects.map((subject) => JSON.stringify(subject)).join(", ")}]`;

/**
 * The `authorization` block of nats-server's configuration. `password`: what stands for each user's password, as nats-server
 * reads it: a quoted text, a bcrypt hash, or the name of a variable (`$NATS_PASSWORD_CHAT`).
 */
export function natsAuthorization(password: (role: BusRole) => string): string {
  const users = busRoles.map((role) => {
    const { publish, subscribe, answers } = permissionsOf(role);
    // A batch's answer may come in several messages.
    const responses = answers ? '\n        allow_responses = { max: 1000, expires: "30s" }' : "";
    return `    {
      user = "${role}", password = ${password(role)}
      permissions = {
        publish = { allow = ${list(publish)} }
        subscribe = { allow = ${list(subscribe)} }${responses}
      }
    }`;
  });
  return `authorization {\n  users = [\n${users.join("\n")}\n  ]\n}\n`;
}
