import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { generatedFiles } from "@parley/manifests";
import { checkoutDir } from "./workspace.ts";

test("what is made from code is as its code makes it; if not: npm run manifests", () => {
  for (const [path, text] of generatedFiles()) {
    assert.ok(existsSync(join(checkoutDir, path)), path);
    assert.equal(readFileSync(join(checkoutDir, path), "utf8"), text, path);
  }
});
