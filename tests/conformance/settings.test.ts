import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import test from "node:test";

const root = resolve(import.meta.dirname, "../..");

test("docs/settings.md names every setting, and none that is not there", async () => {
  const services = await readdir(resolve(root, "services"));
  const files = ["libs/service-kit/src/config.ts", ...services.map((name) => `services/${name}/src/config.ts`)];
  const named = new Set<string>();
  for (const file of files) {
    const source = await readFile(resolve(root, file), "utf8").catch(() => "");
    for (const [, name] of source.matchAll(/^\s+([A-Z][A-Z_]+): (?:Type\.|limit\()/gm)) named.add(name!);
  }
  const page = await readFile(resolve(root, "docs/settings.md"), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const documented = rows.flatMap((row) => [...row.split("|")[1]!.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name!));
  assert.deepEqual(documented.sort(), [...named].sort());
});
