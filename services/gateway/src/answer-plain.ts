import type { HttpResponse } from "uWebSockets.js";

/** Answers a person, or a probe, in one line of text. Who is to come back later is not kept meanwhile: their connection ends. */
export function answerPlain(response: HttpResponse, status: string, text: string, retryAfterSeconds?: number): void {
  response.cork(() => {
    response.writeStatus(status).writeHeader("Content-Type", "text/plain; charset=utf-8");
    response.writeHeader("Cache-Control", "no-store").writeHeader("X-Content-Type-Options", "nosniff");
    if (retryAfterSeconds !== undefined) response.writeHeader("Retry-After", String(retryAfterSeconds));
    response.end(text, retryAfterSeconds !== undefined);
  });
}
