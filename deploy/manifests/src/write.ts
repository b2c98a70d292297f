// What `npm run manifests` runs.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { generatedFiles } from "./index.ts";

const checkoutDir = resolve(import.meta.dirname, "../../..");

for (const [path, text] of generatedFiles()) {
  const file = resolve(checkoutDir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(path);
}
