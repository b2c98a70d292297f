/** What a gateway asks of workers, one requester a service. */
import {
  type Bus,
  type ChatAnswer,
  type ChatRequest,
  createRequester,
  decodeChatAnswer,
  decodeJsonAnswer,
  encodeChatRequest,
  encodeJsonRequest,
  type JsonAnswer,
  type NotifyRequest,
  type PresenceRequest,
  type Requester,
  type TimerRequest,
  type WorkerService,
  type Workers,
  watchWorkers,
} from "@parley/bus";
import { createTally, type Tally } from "@parley/service-kit";

export interface Requesters {
  chat: Requester<ChatRequest, ChatAnswer>;
  timer: Requester<TimerRequest, JsonAnswer>;
  notify: Requester<NotifyRequest, JsonAnswer>;
  presence: Requester<PresenceRequest, JsonAnswer>;
  presenceWorkers: Workers;
  /** How long answers took, by service. */
  asked: Record<WorkerService, Tally>;
  /** How many client events wait for a worker's answer. */
  waiting(): number;
  close(): void;
}

/** Presence is worth no long wait: its reports are said again anyway. */
const presenceGiveUpMs = 4_000;

export function createRequesters(bus: Bus): Requesters {
  const open: { close(): void }[] = [];
  const watch = (service: WorkerService) => {
    const workers = watchWorkers(bus, service);
    open.push(workers);
    return workers;
  };
  const asked = { chat: createTally(), presence: createTally(), timer: createTally(), notify: createTally() };
  const asJson = <Request extends { kind: string }>(service: WorkerService, workers: Workers, giveUpMs?: number) =>
    createRequester<Request, JsonAnswer>({
      bus,
      service,
      workers,
      encode: encodeJsonRequest,
      decode: decodeJsonAnswer,
      onDone: asked[service].add,
      giveUpMs,
    });
  const chat = createRequester<ChatRequest, ChatAnswer>({
    bus,
    service: "chat",
    workers: watch("chat"),
    encode: encodeChatRequest,
    decode: decodeChatAnswer,
    onDone: asked.chat.add,
  });
  const timer = asJson<TimerRequest>("timer", watch("timer"));
  const notify = asJson<NotifyRequest>("notify", watch("notify"));
  const presenceWorkers = watch("presence");
  const presence = asJson<PresenceRequest>("presence", presenceWorkers, presenceGiveUpMs);
  return {
    ...{ chat, timer, notify, presence, presenceWorkers, asked },
    waiting: () => chat.pending() + timer.pending() + notify.pending(),
    close() {
      for (const one of [presence, chat, timer, notify, ...open]) one.close();
    },
  };
}
