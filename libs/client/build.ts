// What is published: one ESM file for browsers and Node, without a dependency, and its types. `node build.ts [folder]`.
import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";
import { minify } from "terser";

const here = import.meta.dirname;
const outDir = resolve(process.argv[2] ?? join(here, "dist"));
rmSync(outDir, { recursive: true, force: true });

const bundle = await rolldown({ input: join(here, "src/index.ts"), platform: "browser" });
const { output } = await bundle.generate({ format: "esm", minify: true });
await bundle.close();
// A little smaller than the bundler's own: every page of every user loads this.
const compress = { passes: 3, ecma: 2020, unsafe_arrows: true } as const;
const { code } = await minify(output[0].code, { module: true, compress });
mkdirSync(outDir, { recursive: true });
writeFileSync(join(outDir, "index.js"), code ?? "");

const types = join(outDir, "types");
const checkout = resolve(here, "../..");
execFileSync(join(checkout, "node_modules/.bin/tsc"), ["-p", here, "--outDir", types], { stdio: "inherit" });
for (const name of globSync("**/*.d.ts", { cwd: types })) {
  const file = join(types, name);
  // The wire contract's types come along, and nothing is left to resolve.
  const text = readFileSync(file, "utf8")
    .replaceAll('"@parley/protocol"', '"../../protocol/src/index.js"')
    .replaceAll(/(["']\.{1,2}\/[^"']*)\.ts(["'])/g, "$1.js$2");
  writeFileSync(file, text);
}
