import type { Reply, ServerEvent } from "@parley/protocol";
import { waitFor } from "./wait-for.ts";

export type Frame = Reply | (ServerEvent & { seq?: number });
export interface Numbered {
  id: number;
  frame: Frame;
}

/** A session by HTTP alone, which keeps what it hears; each call may go to another node. */
export interface FallbackClient {
  session: string;
  key: string;
  frames: Numbered[];
  /** The plain call: `path` as in `/send`. */
  call(base: string, path: string, init?: RequestInit): Promise<Response>;
  /** One poll after the last frame it has; gives the body. */
  poll(base: string): Promise<{ frames: Numbered[]; next: number; code?: string }>;
  /** Opens a stream and reads it until `stop`. */
  stream(base: string): Promise<{ stop(): Promise<void>; ended: Promise<void> }>;
  /** Sends a client event; its reply comes by poll or stream. */
  send(base: string, frames: object | object[]): Promise<Response>;
  /** Sends a client event and waits for the reply: somebody has to be polling or streaming. */
  request(base: string, event: string, requestData?: object): Promise<Reply>;
}

/** Begins a session at `base`, as in `http://127.0.0.1:8080`; `onFrame` sees each frame as it comes. */
export async function beginFallback(
  base: string,
  onFrame: (frame: Numbered) => void = () => {},
): Promise<FallbackClient> {
  const response = await fetch(`${base}/fallback`, { method: "POST" });
  if (response.status !== 201) throw new Error(`POST /fallback answered ${response.status}`);
  const { session, key } = (await response.json()) as { session: string; key: string };
  const frames: Numbered[] = [];
  let lastRequestId = 0;

  const take = (frame: Numbered) => {
    frames.push(frame);
    onFrame(frame);
  };

  const client: FallbackClient = {
    session,
    key,
    frames,
    call: (at, path, init = {}) =>
      fetch(`${at}/fallback/${session}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${key}`, ...init.headers },
      }),
    async poll(at) {
      const answer = await client.call(at, `/poll?after=${frames.at(-1)?.id ?? 0}`);
      if (answer.status !== 200) throw new Error(`poll answered ${answer.status}: ${await answer.text()}`);
      const body = (await answer.json()) as { frames: Numbered[]; next: number; code?: string };
      for (const frame of body.frames) take(frame);
      return body;
    },
    async stream(at) {
      const stopping = new AbortController();
      const last = frames.at(-1)?.id;
      const headers: Record<string, string> = last === undefined ? {} : { "last-event-id": String(last) };
      const answer = await client.call(at, "/stream", { headers, signal: stopping.signal });
      if (answer.status !== 200) throw new Error(`stream answered ${answer.status}: ${await answer.text()}`);
      const read = async () => {
        let rest = "";
        const decoder = new TextDecoder();
        for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
          rest += decoder.decode(chunk, { stream: true });
          const events = rest.split("\n\n");
          rest = events.pop() as string;
          for (const event of events) {
            const [, id, data] = /^id: (\d+)\ndata: (.*)$/.exec(event) ?? [];
            if (data !== undefined) take({ id: Number(id), frame: JSON.parse(data) as Frame });
          }
        }
      };
      const ended = read().catch(() => {});
      return {
        ended,
        stop: async () => {
          stopping.abort();
          await ended;
        },
      };
    },
    send: (at, sent) => client.call(at, "/send", { method: "POST", body: JSON.stringify(sent) }),
    async request(at, event, requestData) {
      const requestId = `r${++lastRequestId}`;
      const answer = await client.send(at, { event, requestId, requestData });
      if (answer.status !== 202) throw new Error(`send answered ${answer.status}: ${await answer.text()}`);
      const isReply = ({ frame }: Numbered) => frame.eventType === "Reply" && frame.requestId === requestId;
      const reply = await waitFor(`the reply to ${event}`, () => frames.find(isReply));
      return reply.frame as Reply;
    },
  };
  return client;
}
