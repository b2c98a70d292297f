/** The web page, read once and served from memory. */

import type { HttpResponse } from "uWebSockets.js";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";

const types: { [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

interface File {
  type: string;
  body: Buffer;
  cacheControl: string;
}

export interface Page {
  /** Answers a GET of this path. */
  serve(path: string, response: HttpResponse): void;
}

const securityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `dir`: the built page, or undefined. */
export async function loadPage(dir: string | undefined): Promise<Page> {
  const files = new Map<string, File>();
  if (dir) {
    const names = await readdir(dir, { recursive: true, withFileTypes: true });
    for (const entry of names) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const url = `/${relative(dir, path).split(sep).join("/")}`;
      files.set(url, {
        type: types[extname(path)] ?? "application/octet-stream",
        body: await readFile(path),
        // Vite puts a hash of the content into these names.
        cacheControl: url.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
      });
    }
  }
  return {
    serve(path, response) {
      const file = files.get(path === "/" ? "/index.html" : path);
      response.cork(() => {
        if (!file) {
          const why = path === "/" ? "The page is not built here; the WebSocket is at /ws\n" : "Not found\n";
          response.writeStatus("404 Not Found").writeHeader("Content-Type", "text/plain; charset=utf-8").end(why);
          return;
        }
        response
          .writeHeader("Content-Type", file.type)
          .writeHeader("Cache-Control", file.cacheControl)
          .writeHeader("X-Content-Type-Options", "nosniff")
          .writeHeader("Referrer-Policy", "no-referrer")
          .writeHeader("Content-Security-Policy", securityPolicy)
          .end(file.body);
      });
    },
  };
}
