import type { HttpResponse } from "uWebSockets.js";

/** Reads a request's body as UTF-8. Calls back once: with null when it has more bytes, or is no UTF-8. Not after an abort. */
export function readBody(response: HttpResponse, maxBytes: number, done: (text: string | null) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const finish = (text: string | null) => {
    over = true;
    done(text);
  };
  response.onData((chunk, isLast) => {
    if (over) return;
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return finish(null);
    // uWebSockets takes its buffer back.
    chunks.push(Buffer.from(chunk.slice(0)));
    if (isLast) finish(textOf(Buffer.concat(chunks)));
  });
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Buffer): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
