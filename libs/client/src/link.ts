import type { HelloData, Reply, ServerEvent } from "@parley/protocol";
import { ownCloseCodes } from "./close-codes.ts";
import { ParleyError } from "./errors.ts";
import type { OpenWire } from "./wire.ts";

/** Questions and answers over one wire, from its opening to its end. It neither registers nor comes back: connection.ts does. */
export interface Link {
  /** Sends a client event; settles with its reply, or with `disconnected` when the link ends first. */
  request<Data>(event: string, requestData: unknown, timeoutMs: number): Promise<Data>;
  /** Replies that are still to come. */
  readonly waiting: number;
  /** Looks whether the other side is there; ends the link when no answer comes. */
  probe(replyMs?: number): void;
  /** Ends it. `onClose` follows at once and not when the other side agrees, which a dead peer never does. */
  close(code: number): void;
}

export interface LinkHooks {
  onHello(hello: HelloData): void;
  onEvent(frame: ServerEvent): void;
  /** Called once; no hook is called after it. */
  onClose(code: number, reason: string): void;
}

const heartbeatReplyMs = 10_000;
/** A timer that is so late says that the page slept, not that the server does. */
const sleptMs = 3_000;
let lastRequestId = 0;

export function openLink(openWire: OpenWire, hooks: LinkHooks): Link {
  const replies = new Map<string, (reply: Reply | ParleyError) => void>();
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  let ended = false;

  function end(code: number, reason: string) {
    if (ended) return;
    ended = true;
    clearInterval(heartbeat);
    const error = ParleyError.disconnected();
    for (const settle of [...replies.values()]) settle(error);
    hooks.onClose(code, reason);
  }

  function close(code: number) {
    wire.close(code);
    end(code, "");
  }

  function request<Data>(event: string, requestData: unknown, timeoutMs: number): Promise<Data> {
    return new Promise((resolve, reject) => {
      const requestId = String(++lastRequestId);
      const settle = (reply: Reply | ParleyError) => {
        clearTimeout(timer);
        replies.delete(requestId);
        if (reply instanceof ParleyError) reject(reply);
        else if (reply.success) resolve(reply.data as Data);
        else reject(ParleyError.of(reply));
      };
      const timer = setTimeout(
        () => settle(new ParleyError("timeout", `No answer to ${event} in ${timeoutMs} ms`, true)),
        timeoutMs,
      );
      replies.set(requestId, settle);
      if (ended) settle(ParleyError.disconnected());
      else wire.send({ event, requestId, requestData });
    });
  }

  function probe(replyMs = heartbeatReplyMs) {
    const dueMs = Date.now() + replyMs;
    request("Heartbeat", undefined, replyMs).catch((error: ParleyError) => {
      if (error.code !== "timeout" || ended) return;
      // The answer may be here, unread: a page that was frozen runs its timers first.
      if (Date.now() - dueMs > sleptMs) probe(replyMs);
      else close(ownCloseCodes.silent);
    });
  }

  const wire = openWire({
    onFrame(frame) {
      if (ended) return;
      if (frame.eventType === "Reply") {
        replies.get(String(frame.requestId))?.(frame);
      } else if (frame.event === "Hello") {
        const hello = frame.data as HelloData;
        heartbeat ??= setInterval(probe, hello.heartbeatMs);
        hooks.onHello(hello);
      } else {
        hooks.onEvent(frame);
      }
    },
    onClose: end,
  });

  return {
    request,
    probe,
    close,
    get waiting() {
      return replies.size;
    },
  };
}
