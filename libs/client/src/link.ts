import { closeCodes, type HelloData, type Reply, type ServerEvent } from "@parley/protocol";
import { ParleyError } from "./errors.ts";

/** One WebSocket from its opening to its end. It neither registers nor comes back: connection.ts does. */
export interface Link {
  /** Sends a client event; settles with its reply, or with `disconnected` when the link ends first. */
  request<Data>(event: string, requestData: unknown, timeoutMs: number): Promise<Data>;
  /** Replies that are still to come. */
  readonly waiting: number;
  /** Ends it. `onClose` follows at once and not when the other side agrees, which a dead peer never does. */
  close(code: number, reason: string): void;
}

export interface LinkHooks {
  onOpen(): void;
  onHello(hello: HelloData): void;
  onEvent(frame: ServerEvent): void;
  /** Called once; no hook is called after it. */
  onClose(code: number, reason: string): void;
}

const heartbeatReplyMs = 10_000;
let lastRequestId = 0;

export function openLink(url: string, WebSocketType: typeof WebSocket, hooks: LinkHooks): Link {
  const socket = new WebSocketType(url, "parley.v1.json");
  const replies = new Map<string, (reply: Reply | ParleyError) => void>();
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  let opened = false;
  let ended = false;

  function end(code: number, reason: string) {
    if (ended) return;
    ended = true;
    clearInterval(heartbeat);
    const error = new ParleyError("disconnected", "The connection ended before the answer came", true);
    for (const settle of [...replies.values()]) settle(error);
    hooks.onClose(code, reason);
  }

  function close(code: number, reason: string) {
    socket.close(code, reason);
    end(code, reason);
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
      if (ended) settle(new ParleyError("disconnected", "Not connected", true));
      // While it is closing, what is asked waits for the close event, as what was asked before.
      else if (socket.readyState === 1) socket.send(JSON.stringify({ event, requestId, requestData }));
    });
  }

  function beat() {
    request("Heartbeat", undefined, heartbeatReplyMs).catch((error: ParleyError) => {
      if (error.code === "timeout") close(closeCodes.silent.code, closeCodes.silent.reason);
    });
  }

  function receive(frame: Reply | ServerEvent) {
    if (frame.eventType === "Reply") {
      replies.get(String(frame.requestId))?.(frame);
    } else if (frame.event === "Hello") {
      const hello = frame.data as HelloData;
      heartbeat = setInterval(beat, hello.heartbeatMs);
      hooks.onHello(hello);
    } else {
      hooks.onEvent(frame);
    }
  }

  socket.onopen = () => {
    opened = true;
    if (!ended) hooks.onOpen();
  };
  socket.onmessage = ({ data }) => {
    if (!ended) receive(JSON.parse(data));
  };
  socket.onclose = ({ code, reason }) => end(code, reason);
  socket.onerror = () => {
    // Node's WebSocket has no close event for a connection that never came about; elsewhere one follows, with 1006.
    if (!opened) end(1006, "could not connect");
  };

  return {
    request,
    close,
    get waiting() {
      return replies.size;
    },
  };
}
