/** Where the answer to a fallback call goes: an HTTP response of this gateway, or one of another node's. */
import type { HttpResponse } from "uWebSockets.js";

export interface Outlet {
  /** Answers whole, once, with a JSON body ("" for none). */
  answer(status: number, json: string): void;
  /** Streams a piece of an event stream; false: take no more before `onReady`. */
  write(text: string): boolean;
  /** Ends a stream. */
  end(): void;
  /** Lets go of it, answered or not. */
  drop(): void;
  /** Set by who writes: it can take more. */
  onReady: () => void;
  /** Set by who writes: nobody is there any more. Not called after `answer`, `end` or `drop`. */
  onGone: () => void;
}

const statusLines: { readonly [status: number]: string } = {
  200: "200 OK",
  201: "201 Created",
  202: "202 Accepted",
  204: "204 No Content",
  400: "400 Bad Request",
  401: "401 Unauthorized",
  403: "403 Forbidden",
  413: "413 Content Too Large",
  503: "503 Service Unavailable",
};

export const errorJson = (code: string, error: string): string => JSON.stringify({ error, code });

export type Headers = readonly (readonly [name: string, value: string])[];

/** Answers an HTTP request that is still there with JSON. */
export function answerJson(response: HttpResponse, status: number, json: string, headers: Headers): void {
  response.cork(() => {
    response.writeStatus(statusLines[status] ?? String(status));
    response.writeHeader("Cache-Control", "no-store").writeHeader("X-Content-Type-Options", "nosniff");
    for (const [name, value] of headers) response.writeHeader(name, value);
    if (json === "") response.endWithoutBody();
    else response.writeHeader("Content-Type", "application/json; charset=utf-8").end(json);
  });
}

/** Comments are no events: clients of event streams skip them. */
const comment = ":\n\n";

/** An outlet to an HTTP request of this node. Takes `onAborted` of the response. */
export function createHttpOutlet(response: HttpResponse, headers: Headers): Outlet {
  let state: "waiting" | "streaming" | "over" = "waiting";
  const begin = () => {
    state = "streaming";
    response.writeStatus("200 OK").writeHeader("Content-Type", "text/event-stream; charset=utf-8");
    // A proxy that gathers or compresses a stream holds it back.
    response.writeHeader("Cache-Control", "no-store, no-transform").writeHeader("X-Accel-Buffering", "no");
    response.writeHeader("X-Content-Type-Options", "nosniff");
    for (const [name, value] of headers) response.writeHeader(name, value);
    response.onWritable(() => {
      // uWebSockets sends what waits when something more is written, and only then.
      if (state === "streaming" && writeCorked(comment)) outlet.onReady();
      return true;
    });
  };
  const writeCorked = (text: string): boolean => {
    let taken = false;
    response.cork(() => {
      if (state === "waiting") begin();
      taken = response.write(text);
    });
    return taken;
  };
  const outlet: Outlet = {
    answer(status, json) {
      if (state !== "waiting") return;
      state = "over";
      answerJson(response, status, json, headers);
    },
    write: (text) => state !== "over" && writeCorked(text),
    end() {
      if (state === "over") return;
      const begun = state === "streaming";
      response.cork(() => {
        if (!begun) begin();
        response.end();
      });
      state = "over";
    },
    drop() {
      if (state === "over") return;
      state = "over";
      response.close();
    },
    onReady: () => {},
    onGone: () => {},
  };
  response.onAborted(() => {
    if (state === "over") return;
    state = "over";
    outlet.onGone();
  });
  return outlet;
}
