import type { ServerEvent } from "@parley/protocol";
import type { Wire, WireHooks } from "./wire.ts";

/** A frame as `poll` gives it. */
interface Numbered {
  id: number;
  frame: ServerEvent;
}

interface Page {
  frames: Numbered[];
  code?: string;
}

/** The gateway takes more in one `send`; proxies on the way may not. */
const maxFramesPerSend = 32;
const maxSendChars = 128 * 1024;
/** Beyond what the gateway lets a poll wait. */
const pollTimeoutMs = 35_000;
const maxFailures = 3;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The same frames by HTTP, where WebSocket cannot pass: what goes out is posted, what comes in is a stream of server-sent
 * events (`sse`) or a long poll (`poll`). `url` is the gateway's `/fallback`.
 */
export function openFallback(kind: "sse" | "poll", url: string, hooks: WireHooks): Wire {
  const aborted = new AbortController();
  let session = "";
  let key = "";
  /** The number of the last frame that came. */
  let last = 0;
  let over = false;
  let sending = false;
  let failures = 0;
  let queue: string[] = [];

  function end(code: number, reason = "") {
    if (over) return;
    over = true;
    aborted.abort();
    hooks.onClose(code, reason);
  }

  function ask(path: string, init: RequestInit = {}, signal = aborted.signal): Promise<Response> {
    const headers: Record<string, string> = { ...(key && { Authorization: `Bearer ${key}` }) };
    if (init.body) headers["Content-Type"] = "application/json";
    // Node's fetch has no cache, and its type no word for it.
    const uncached = { cache: "no-store" } as RequestInit;
    return fetch(url + path, { ...uncached, ...init, headers: { ...headers, ...init.headers }, signal });
  }

  /** Ends it when the answer says that it has no future. */
  function isGood(response: Response): boolean {
    if (response.ok) return true;
    if (response.status < 500) end(1006);
    return false;
  }

  function take(id: number, frame: ServerEvent) {
    // A stream that was taken up again may begin with what was here.
    if (over || (id <= last && id > 0)) return;
    last = Math.max(last, id);
    failures = 0;
    if (frame.event === "resume_required") end(4002);
    else if (frame.event !== "Closed") hooks.onFrame(frame);
    else end((frame.data as { code: number }).code, (frame.data as { reason: string }).reason);
  }

  async function poll() {
    const limit = AbortSignal.timeout(pollTimeoutMs);
    const response = await ask(`/${session}/poll?after=${last}`, {}, AbortSignal.any([aborted.signal, limit]));
    if (!isGood(response)) return false;
    const { frames, code } = (await response.json()) as Page;
    if (code === "resume_required") end(4002);
    for (const { id, frame } of frames) take(id, frame);
    return true;
  }

  async function stream() {
    const response = await ask(`/${session}/stream`, { headers: { "Last-Event-ID": String(last) } });
    if (!isGood(response) || !response.body) return false;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return true;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) {
        const id = /^id: (\d+)/m.exec(block);
        const data = /^data: (.*)/m.exec(block);
        if (data) take(Number(id?.[1] ?? 0), JSON.parse(data[1]!));
      }
    }
  }

  async function run() {
    const begun = await ask("", { method: "POST" });
    if (!begun.ok) return end(1006);
    ({ session, key } = (await begun.json()) as { session: string; key: string });
    void flush();
    while (!over) {
      // A proxy may end a request whenever it likes: the gateway keeps what came meanwhile.
      const went = await (kind === "sse" ? stream() : poll()).catch(() => false);
      if (over || (went && failures === 0)) continue;
      if (++failures > maxFailures) end(1006);
      else await pause(failures * 300);
    }
  }

  /** One `send` at a time, so that frames arrive in order. */
  async function flush() {
    if (sending || !session) return;
    sending = true;
    while (queue.length > 0 && !over) {
      let count = 0;
      let chars = 0;
      do chars += queue[count]!.length;
      while (++count < Math.min(queue.length, maxFramesPerSend) && chars + queue[count]!.length < maxSendChars);
      const body = `[${queue.splice(0, count).join()}]`;
      const response = await ask(`/${session}/send`, { method: "POST", body });
      // Whether frames of a failed `send` arrived is not known: a new connection asks again for what may be asked twice.
      if (!response.ok) end(response.status === 400 || response.status === 413 ? 1009 : 1006);
    }
    sending = false;
  }

  const failed = () => end(1006);
  run().catch(failed);

  return {
    send(frame) {
      queue.push(JSON.stringify(frame));
      flush().catch(failed);
    },
    close() {
      if (over) return;
      over = true;
      queue = [];
      aborted.abort();
      // Also when the page is being left.
      if (session)
        ask(`/${session}`, { method: "DELETE", keepalive: true }, new AbortController().signal).catch(() => {});
    },
  };
}
