import type { Bus } from "@parley/bus";

/** Each request on the subject is answered by one of the notification workers: with what `answer` gives, or with `failed`. */
export function answerRequests<Request>(options: {
  bus: Bus;
  subject: string;
  answer: (request: Request) => Promise<object>;
  /** What the asker gets where `answer` throws, which `onError` hears of. */
  failed: object;
  onError: (error: unknown) => void;
}): { close(): void } {
  const { bus, subject, answer, failed, onError } = options;
  const subscription = bus.nc.subscribe(subject, {
    queue: "notify",
    callback: (error, msg) => {
      if (error) return;
      answer(msg.json<Request>()).then(
        (answered) => msg.respond(JSON.stringify(answered)),
        (cause) => {
          onError(cause);
          msg.respond(JSON.stringify(failed));
        },
      );
    },
  });
  return { close: () => subscription.unsubscribe() };
}
