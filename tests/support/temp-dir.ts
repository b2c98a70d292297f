import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Teardown } from "./teardown.ts";

/** An empty folder, removed when the test ends. */
export function tempDir(teardown: Teardown): string {
  const dir = mkdtempSync(join(tmpdir(), "parley-test-"));
  teardown.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  return dir;
}
