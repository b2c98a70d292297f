/**
 * What stands between uWebSockets and Socket.IO's engine: who may come, and that nothing a client sends can throw out of
 * the engine's handlers, which would end the process.
 */
import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket, WebSocketBehavior } from "uWebSockets.js";
import type { RefuseConnection } from "./handshakes.ts";
import { corsHeaders, foreignOrigin, type Origins } from "./origins.ts";
import { answerJson, errorJson } from "./outlet.ts";

export interface DoorOptions {
  app: TemplatedApp;
  origins: Origins;
  /** Why nobody new may come from there now, or null. */
  refusal: RefuseConnection;
  onError: (error: unknown, what: string) => void;
}

type Handler = (response: HttpResponse, request: HttpRequest) => void;

/** The part of an app that `io.attachApp` uses. */
export interface Door {
  any(path: string, handler: Handler): Door;
  get(path: string, handler: Handler): Door;
  ws(path: string, behavior: WebSocketBehavior<unknown>): Door;
  publish: TemplatedApp["publish"];
}

export function createSocketIoDoor({ app, origins, refusal, onError }: DoorOptions): Door {
  /** Refuses a request that may not be, and answers true. */
  const refuses = (response: HttpResponse, request: HttpRequest): boolean => {
    const origin = request.getHeader("origin");
    if (!origins.allows(origin, request.getHeader("host"))) {
      answerJson(response, 403, foreignOrigin, []);
      return true;
    }
    if (request.getQuery("sid")) return false;
    const why = refusal(response, request);
    if (!why) return false;
    const retryAfter = ["Retry-After", String(why.retryAfterSeconds)] as const;
    answerJson(response, 503, errorJson("unavailable", why.error), [...corsHeaders(origin), retryAfter]);
    return true;
  };

  const guarded = <Arguments extends unknown[]>(
    handler: ((...them: Arguments) => unknown) | undefined,
    undo: (...them: Arguments) => void,
  ) => {
    return (...them: Arguments): void => {
      try {
        const result = handler?.(...them);
        if (result instanceof Promise) result.catch((error) => onError(error, "Socket.IO's engine failed"));
      } catch (error) {
        onError(error, "Socket.IO's engine failed");
        undo(...them);
      }
    };
  };
  const hangUp = (response: HttpResponse) => {
    try {
      response.close();
    } catch {
      // It was answered, or is gone.
    }
  };
  const closeSocket = (ws: WebSocket<unknown>) => {
    try {
      ws.close();
    } catch {
      // It is closed.
    }
  };

  const preflight: Handler = (response, request) => {
    if (refuses(response, request)) return;
    answerJson(response, 204, "", [
      ...corsHeaders(request.getHeader("origin")),
      ["Access-Control-Allow-Methods", "GET, POST"],
      ["Access-Control-Allow-Headers", request.getHeader("access-control-request-headers") || "Content-Type"],
      ["Access-Control-Max-Age", "86400"],
    ]);
  };

  const door: Door = {
    any(path, handler) {
      const safe = guarded(handler, hangUp);
      const serve: Handler = (response, request) => {
        if (!refuses(response, request)) safe(response, request);
      };
      // By method: uWebSockets asks the routes of any method last, after the page's.
      app.get(path, serve);
      app.post(path, serve);
      app.options(path, preflight);
      return door;
    },
    get(path, handler) {
      app.get(path, guarded(handler, hangUp));
      return door;
    },
    ws(path, behavior) {
      const upgrade = guarded(behavior.upgrade, hangUp);
      app.ws(path, {
        ...behavior,
        upgrade(response, request, context) {
          if (refuses(response, request)) return;
          // The engine would take a WebSocket for whatever transport its query names.
          if (request.getQuery("transport") === "websocket") upgrade(response, request, context);
          else answerJson(response, 400, errorJson("bad_request", "A WebSocket needs transport=websocket"), []);
        },
        open: guarded(behavior.open, closeSocket),
        message: guarded(behavior.message, closeSocket),
        close: guarded(behavior.close, () => {}),
      });
      return door;
    },
    publish: (...them) => app.publish(...them),
  };
  return door;
}
