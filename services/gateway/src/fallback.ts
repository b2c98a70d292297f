/** `/fallback`: the same frames by HTTP, where WebSocket can't pass. Any node answers for any session. */
import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { Bus } from "@parley/bus";
import { type Decoded, decodeClientEvent, decodeClientValue, limits } from "@parley/protocol";
import type { FallbackKeys } from "./fallback-keys.ts";
import { createFallbackRelay, type FallbackCall } from "./fallback-relay.ts";
import {
  createFallbackSession,
  type FallbackSession,
  type FallbackSessionOptions,
  unknownSession,
} from "./fallback-session.ts";
import type { RefuseConnection } from "./handshakes.ts";
import { corsHeaders, foreignOrigin, type Origins } from "./origins.ts";
import { answerJson, createHttpOutlet, errorJson, type Headers, type Outlet } from "./outlet.ts";
import { readBody } from "./read-body.ts";
import type { RoomListeners } from "./room-listeners.ts";
import { newSessionId, type SessionEvents } from "./session.ts";

export interface FallbackOptions extends SessionEvents, Pick<FallbackSessionOptions, "eventsBurst" | "waitingBytes"> {
  app: TemplatedApp;
  bus: Bus;
  node: string;
  origins: Origins;
  keys: FallbackKeys;
  listeners: RoomListeners;
  publish: FallbackSessionOptions["publish"];
  hello: (session: string) => string;
  /** Why no session may begin here now, or null. */
  refusal: RefuseConnection;
  onError: (error: unknown, what: string) => void;
}

export interface Fallback {
  close(): void;
}

/** Of a `send`, whether one frame or an array of them; less than NATS carries in one message. */
const maxBodyBytes = 512 * 1024;
const maxFramesPerSend = 32;
const checkEveryMs = 500;

export function createFallback(options: FallbackOptions): Fallback {
  const { app, node, origins, keys, listeners } = options;
  const sessions = new Map<string, FallbackSession>();

  const open = (): { session: string; key: string } => {
    const id = `${node}.${newSessionId()}`;
    const session = createFallbackSession({
      opened: options.opened,
      closed: options.closed,
      eventsBurst: options.eventsBurst,
      waitingBytes: options.waitingBytes,
      publish: options.publish,
      listen: listeners.add,
      unlisten: listeners.remove,
      hello: options.hello(id),
      id,
    });
    sessions.set(id, session);
    return { session: id, key: keys.keyOf(id) };
  };

  /** A call on a session of this node. */
  const carryOut = (call: FallbackCall, outlet: Outlet) => {
    const found = sessions.get(call.session);
    if (!found || found.isGone()) return outlet.answer(401, unknownSession);
    found.heard();
    switch (call.op) {
      case "poll":
        return found.poll(call.after, outlet);
      case "stream":
        return found.stream(call.after, outlet);
      case "send":
        return send(found, call.body, outlet);
      case "end":
        sessions.delete(call.session);
        found.end();
        return outlet.answer(204, "");
    }
  };

  const send = (to: FallbackSession, body: string, outlet: Outlet) => {
    const frames = readFrames(body);
    if (typeof frames === "string") return outlet.answer(400, errorJson("bad_request", frames));
    if (to.session.stage === "closed") return outlet.answer(401, unknownSession);
    outlet.answer(202, "{}");
    for (const frame of frames) options.received(to.session, frame);
  };

  const relay = createFallbackRelay({ bus: options.bus, node, carryOut, onError: options.onError });

  const dispatch = (call: FallbackCall, outlet: Outlet) => {
    const owner = ownerOf(call.session);
    if (owner === node) carryOut(call, outlet);
    else if (owner === null) outlet.answer(401, unknownSession);
    else relay.forward(owner, call, outlet);
  };

  /** The headers that let a page of another origin read the answer; null, and answered, when it may not. */
  const cors = (response: HttpResponse, request: HttpRequest): Headers | null => {
    const origin = request.getHeader("origin");
    if (origins.allows(origin, request.getHeader("host"))) return corsHeaders(origin);
    answerJson(response, 403, foreignOrigin, []);
    return null;
  };

  const preflight = (response: HttpResponse, request: HttpRequest) => {
    const headers = cors(response, request);
    if (!headers) return;
    answerJson(response, 204, "", [
      ...headers,
      ["Access-Control-Allow-Methods", "GET, POST, DELETE"],
      ["Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID"],
      ["Access-Control-Max-Age", "86400"],
    ]);
  };

  const begin = (response: HttpResponse, request: HttpRequest) => {
    const headers = cors(response, request);
    if (!headers) return;
    const refusal = options.refusal(response, request);
    if (!refusal) return answerJson(response, 201, JSON.stringify(open()), headers);
    const retryAfter = ["Retry-After", String(refusal.retryAfterSeconds)] as const;
    answerJson(response, 503, errorJson("unavailable", refusal.error), [...headers, retryAfter]);
  };

  /** A call on a session that showed the session's key, and where its answer goes. */
  const withCall = (carry: (session: string, outlet: Outlet, response: HttpResponse, request: HttpRequest) => void) => {
    return (response: HttpResponse, request: HttpRequest) => {
      const headers = cors(response, request);
      if (!headers) return;
      const outlet = createHttpOutlet(response, headers);
      const session = request.getParameter(0) ?? "";
      if (keys.isKeyOf(session, bearer(request))) carry(session, outlet, response, request);
      else outlet.answer(401, unknownSession);
    };
  };

  const listen = (op: "poll" | "stream") =>
    withCall((session, outlet, _response, request) => {
      const after = readAfter((op === "stream" && request.getHeader("last-event-id")) || request.getQuery("after"));
      if (after === null)
        return outlet.answer(400, errorJson("bad_request", "after must be the id of a frame, or 0 for the first"));
      dispatch({ op, session, after }, outlet);
    });

  app.post("/fallback", begin);
  app.get("/fallback/:session/stream", listen("stream"));
  app.get("/fallback/:session/poll", listen("poll"));
  app.post(
    "/fallback/:session/send",
    withCall((session, outlet, response) =>
      readBody(response, maxBodyBytes, (body) => {
        if (body !== null) return dispatch({ op: "send", session, body }, outlet);
        outlet.answer(413, errorJson("too_large", `The body must be UTF-8 and have ${maxBodyBytes} bytes at most`));
      }),
    ),
  );
  app.del(
    "/fallback/:session",
    withCall((session, outlet) => dispatch({ op: "end", session }, outlet)),
  );
  app.options("/fallback", preflight);
  app.options("/fallback/*", preflight);

  const checking = setInterval(() => {
    const nowMs = performance.now();
    for (const [id, session] of sessions) if (!session.check(nowMs)) sessions.delete(id);
  }, checkEveryMs);

  return {
    close() {
      clearInterval(checking);
      relay.close();
    },
  };
}

const nodeName = /^[\w-][\w.-]{0,127}$/;

/** The node that holds a session, by the session's name; null when it can be none's. */
function ownerOf(session: string): string | null {
  const owner = session.slice(0, Math.max(0, session.lastIndexOf(".")));
  return nodeName.test(owner) ? owner : null;
}

function bearer(request: HttpRequest): string {
  const [scheme, key] = request.getHeader("authorization").split(" ");
  return scheme?.toLowerCase() === "bearer" ? (key ?? "") : "";
}

/** The number of a frame, 0 where none is given; null when it is no number. */
function readAfter(text: string | undefined): number | null {
  if (!text) return 0;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** What a `send` holds, decoded frame by frame; or what is wrong with the whole, in words. */
function readFrames(body: string): Decoded[] | string {
  const tooLarge = `A frame has ${limits.frameBytes} bytes at most`;
  if (!/^\s*\[/.test(body)) return Buffer.byteLength(body) > limits.frameBytes ? tooLarge : [decodeClientEvent(body)];
  let frames: unknown;
  try {
    frames = JSON.parse(body);
  } catch {
    return "The body must be a frame, or an array of frames, in JSON";
  }
  if (!Array.isArray(frames) || frames.length < 1 || frames.length > maxFramesPerSend)
    return `An array holds 1 to ${maxFramesPerSend} frames`;
  const decoded = frames.map(decodeClientValue);
  // Only what was found to be no deeper than allowed can be written out again.
  const isTooLarge = (frame: unknown, i: number) =>
    decoded[i]?.ok === true && Buffer.byteLength(JSON.stringify(frame)) > limits.frameBytes;
  return body.length > limits.frameBytes && frames.some(isTooLarge) ? tooLarge : decoded;
}
