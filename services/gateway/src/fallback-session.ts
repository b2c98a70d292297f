/**
 * A session that outlives its requests: what it is to hear waits in a buffer, numbered, until a poll or a stream takes it.
 */
import { type CloseReason, closeCodes } from "@parley/protocol";
import { eventFrame } from "./frames.ts";
import type { HubRoom } from "./hub.ts";
import { errorJson, type Outlet } from "./outlet.ts";
import type { Listener, RoomListeners } from "./room-listeners.ts";
import { type Link, newSession, type Session, type SessionEvents } from "./session.ts";

export interface FallbackSession {
  readonly session: Session;
  /** Answers with what came after frame `after`, or when something does, or empty after a while. */
  poll(after: number, outlet: Outlet): void;
  /** Sends what came after frame `after`, and goes on. */
  stream(after: number, outlet: Outlet): void;
  /** Its end was told, or it needs no telling: nothing is to be had from it any more. */
  isGone(): boolean;
  /** The client lives. */
  heard(): void;
  /** Looks after the reader, whose connection may be dead. False: nobody has asked for long, forget the session. */
  check(nowMs: number): boolean;
  /** Ends the session without a word: its client is gone, or asked for it. */
  end(): void;
}

export interface FallbackSessionOptions extends Pick<SessionEvents, "opened" | "closed"> {
  id: string;
  hello: string;
  eventsBurst: number;
  /** Most bytes that wait for a client; what is older gives way. */
  waitingBytes: number;
  listen: RoomListeners["add"];
  unlisten: RoomListeners["remove"];
  /** Sends a frame to all on this node who listen to the room, but to one. */
  publish(room: HubRoom, frame: Uint8Array, except: Listener): void;
}

/** How many frames wait at most. */
export const bufferedFrames = 256;
/** How long a session outlives its last request. */
export const outliveMs = 30_000;
/** Under the 25 s that are promised, since it is looked at once in a while. */
const pollMs = 24_000;
/** So that proxies on the way, and the relay between nodes, know that a stream lives. */
const commentEveryMs = 15_000;
/** A stream that nobody is heard beside may be a dead one: it ends, and a client that lives comes again. */
const quietStreamMs = 75_000;
/** A reader that takes nothing for so long is not there. */
const stuckMs = 20_000;
/** About how much of it is sent at once. */
const pieceChars = 64 * 1024;
const pollChars = 256 * 1024;

export const unknownSession = errorJson(
  "unauthorized",
  "There is no such fallback session, or its key is another: begin anew with POST /fallback",
);

interface Waiting {
  id: number;
  frame: string;
}

interface Reader {
  kind: "poll" | "stream";
  outlet: Outlet;
  /** The last frame it has. */
  after: number;
  ready: boolean;
  sinceMs: number;
  wroteAtMs: number;
}

const resumeFrame = '{"eventType":"ServerEvent","event":"resume_required"}';

export function createFallbackSession(options: FallbackSessionOptions): FallbackSession {
  let buffer: Waiting[] = [];
  let bufferedChars = 0;
  let lastId = 0;
  let reader: Reader | null = null;
  let heardAtMs = performance.now();
  let state: "open" | "closing" | "gone" = "open";
  let pumping = false;

  const firstId = () => lastId - buffer.length + 1;

  const push = (frame: string) => {
    if (state === "gone") return;
    buffer.push({ id: ++lastId, frame });
    bufferedChars += frame.length;
    while (buffer.length > bufferedFrames || (bufferedChars > options.waitingBytes && buffer.length > 1))
      bufferedChars -= (buffer.shift() as Waiting).frame.length;
    if (pumping || !reader) return;
    // With whatever else this turn has for the client.
    pumping = true;
    queueMicrotask(() => {
      pumping = false;
      pump();
    });
  };

  const pump = () => {
    if (!reader) return;
    if (reader.kind === "poll") answerPoll(reader, false);
    else writeStream(reader);
  };

  const release = () => {
    reader = null;
    heardAtMs = performance.now();
    // The last word was handed over.
    if (state === "closing") gone();
  };

  /** What the reader has not got, up to about `chars`; `from` is where it begins, beyond `after + 1` when some is lost. */
  const take = (after: number, chars: number): { from: number; taken: Waiting[] } => {
    const from = Math.max(after + 1, firstId());
    const taken: Waiting[] = [];
    let size = 0;
    for (let i = from - firstId(); i < buffer.length && size < chars; i++) {
      const waiting = buffer[i] as Waiting;
      taken.push(waiting);
      size += waiting.frame.length;
    }
    return { from, taken };
  };

  const answerPoll = (poll: Reader, evenEmpty: boolean) => {
    const { from, taken } = take(poll.after, pollChars);
    if (taken.length === 0 && !evenEmpty) return;
    const next = taken.at(-1)?.id ?? poll.after;
    const frames = taken.map(({ id, frame }) => `{"id":${id},"frame":${frame}}`).join(",");
    const lost = from > poll.after + 1 ? ',"code":"resume_required"' : "";
    poll.outlet.answer(200, `{"frames":[${frames}],"next":${next}${lost}}`);
    if (next === lastId || state !== "closing") release();
    else reader = null;
  };

  const writeStream = (stream: Reader) => {
    while (stream.ready) {
      const { from, taken } = take(stream.after, pieceChars);
      if (taken.length === 0) break;
      let text = from > stream.after + 1 ? `id: ${from - 1}\ndata: ${resumeFrame}\n\n` : "";
      for (const { id, frame } of taken) text += `id: ${id}\ndata: ${frame}\n\n`;
      stream.after = (taken.at(-1) as Waiting).id;
      write(stream, text);
    }
    if (state === "closing" && stream.after === lastId) {
      stream.outlet.end();
      release();
    }
  };

  const write = (stream: Reader, text: string) => {
    stream.wroteAtMs = performance.now();
    stream.ready = stream.outlet.write(text);
  };

  const attach = (kind: Reader["kind"], after: number, outlet: Outlet) => {
    const badAfter = after > lastId;
    if (badAfter) return outlet.answer(400, errorJson("bad_request", `after is beyond the last frame, ${lastId}`));
    // A new one ends the one before.
    if (reader?.kind === "poll") answerPoll(reader, true);
    else if (reader) reader.outlet.end();
    if (state === "gone") return outlet.answer(401, unknownSession);
    const nowMs = performance.now();
    const own: Reader = { kind, outlet, after, ready: true, sinceMs: nowMs, wroteAtMs: nowMs };
    reader = own;
    outlet.onReady = () => {
      own.ready = true;
      if (reader === own) pump();
    };
    outlet.onGone = () => {
      if (reader !== own) return;
      reader = null;
      heardAtMs = performance.now();
    };
    // A stream begins at once, so that a client can tell one that is held back on its way.
    if (kind === "stream" && after === lastId) write(own, ":\n\n");
    pump();
  };

  const gone = () => {
    state = "gone";
    buffer = [];
    bufferedChars = 0;
    if (session.stage !== "closed") options.closed(session);
  };

  const link: Link = {
    transport: "fallback",
    send: (frame) => state === "open" && push(frame),
    // What is handed over and what is published go into one buffer: in order by themselves.
    flush: () => {},
    listen: (room) => state === "open" && options.listen(room, push),
    unlisten: (room) => options.unlisten(room, push),
    sendToOthers: (room, frame) => options.publish(room, frame, push),
    close(reason: CloseReason) {
      if (state !== "open") return;
      const { code, reason: text } = closeCodes[reason];
      push(eventFrame("Closed", JSON.stringify({ code, reason: text })));
      state = "closing";
      options.closed(session);
    },
  };
  const session = newSession(options.id, link, options.eventsBurst);
  link.send(options.hello);
  options.opened(session);

  return {
    session,
    poll: (after, outlet) => attach("poll", after, outlet),
    stream: (after, outlet) => attach("stream", after, outlet),
    isGone: () => state === "gone",
    heard: () => {
      heardAtMs = performance.now();
    },
    check(nowMs) {
      if (state === "gone") return false;
      if (!reader) {
        if (nowMs - heardAtMs < outliveMs) return true;
        gone();
        return false;
      }
      if (reader.kind === "poll") {
        if (nowMs - reader.sinceMs >= pollMs) answerPoll(reader, true);
      } else if (!reader.ready && nowMs - reader.wroteAtMs >= stuckMs) {
        reader.outlet.drop();
        release();
      } else if (nowMs - Math.max(heardAtMs, reader.sinceMs) >= quietStreamMs) {
        reader.outlet.end();
        release();
      } else if (reader.ready && nowMs - reader.wroteAtMs >= commentEveryMs) write(reader, ":\n\n");
      return true;
    },
    end() {
      if (reader?.kind === "poll") answerPoll(reader, true);
      else reader?.outlet.end();
      reader = null;
      gone();
    },
  };
}
