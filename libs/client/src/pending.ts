import type { SendData } from "@parley/protocol";
import type { ParleyError } from "./errors.ts";
import type { Outbox } from "./outbox.ts";
import type { OutboxItem } from "./outbox-storage.ts";

/** What a message is made of: a text, data of the application's own (JSON), or both. */
export interface Content {
  text?: string;
  data?: unknown;
  /** The seq of the message that this one answers. */
  replyTo?: number;
}

/** An own message that is not in the room's log yet. */
export interface PendingMessage extends Content {
  clientMessageId: string;
  /** When it was written, by this device's clock. ISO 8601, UTC. */
  at: string;
  /** `sent`: stored, and about to show up among the messages. `failed`: see `error`; `retry` or `discard` it. */
  state: "pending" | "sent" | "failed";
  error: ParleyError | null;
  /** Its place in the log, once known. */
  seq: number | null;
}

/** A room's own messages on their way, as the person sees them. */
export function createPending(
  room: string,
  outbox: Outbox,
  messageId: () => string,
  /** Whether the log, which this client holds up to `last`, will show the entry that got `seq`. */
  awaited: (seq: number) => boolean,
  changed: () => void,
) {
  const messages = new Map<string, PendingMessage>();

  function put(message: PendingMessage) {
    messages.set(message.clientMessageId, message);
    changed();
  }

  function remove(clientMessageId: string) {
    if (messages.delete(clientMessageId)) changed();
  }

  function follow(message: PendingMessage, sent: Promise<SendData>) {
    const { clientMessageId } = message;
    put(message);
    sent.then(
      ({ seq }) => (awaited(seq) ? put({ ...message, state: "sent", seq }) : remove(clientMessageId)),
      (error: ParleyError) =>
        error.code === "not_yours" ? remove(clientMessageId) : put({ ...message, state: "failed", error }),
    );
  }

  function add(message: PendingMessage): Promise<SendData> {
    const { clientMessageId, at, text, data, replyTo } = message;
    const sent = outbox.add("SendMessage", { room, clientMessageId, text, data, replyTo }, at);
    follow(message, sent);
    return sent;
  }

  return {
    list: (): readonly PendingMessage[] => [...messages.values()],
    send(content: Content): Promise<SendData> {
      const at = new Date().toISOString();
      return add({ ...content, clientMessageId: messageId(), at, state: "pending", error: null, seq: null });
    },
    /** One that an earlier page left. */
    restore({ requestData, at }: OutboxItem, sent: Promise<SendData>) {
      const { clientMessageId, room: _, ...content } = requestData;
      follow({ ...content, clientMessageId, at, state: "pending", error: null, seq: null }, sent);
    },
    retry(clientMessageId: string) {
      const message = messages.get(clientMessageId);
      if (message?.state === "failed") add({ ...message, state: "pending", error: null }).catch(() => {});
    },
    discard(clientMessageId: string) {
      if (messages.get(clientMessageId)?.state === "failed") remove(clientMessageId);
    },
    /** The log that is held has this message. */
    stored: remove,
    /** The log is held up to here. */
    storedUpTo(last: number) {
      for (const { clientMessageId, seq } of [...messages.values()])
        if (seq !== null && seq <= last) remove(clientMessageId);
    },
  };
}
