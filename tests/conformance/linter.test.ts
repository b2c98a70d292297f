import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import { tempDir } from "../support/temp-dir.ts";
import { checkoutDir } from "./workspace.ts";

/** Rules that others of our conventions rest on: the linter has to catch what breaks them. */
const violations = {
  noImportCycles: {
    "src/a.ts": 'import { b } from "./b.ts";\n\nexport const a = () => b;\n',
    "src/b.ts": 'import { a } from "./a.ts";\n\nexport const b = () => a;\n',
  },
  noUndeclaredDependencies: { "src/a.ts": 'import { connect } from "@parley/bus";\n\nexport const a = connect;\n' },
  noExplicitAny: { "src/a.ts": "export const a = (b: any) => b;\n" },
  noDefaultExport: { "src/a.ts": "export default 1;\n" },
  useImportType: {
    "src/a.ts": 'import { B } from "./b.ts";\n\nexport const a = (b: B) => b;\n',
    "src/b.ts": "export type B = 1;\n",
  },
};

for (const [rule, files] of Object.entries(violations)) {
  test(`the linter catches what breaks ${rule}`, (t) => {
    const dir = tempDir(t);
    copyFileSync(join(checkoutDir, "biome.json"), join(dir, "biome.json"));
    writeFileSync(join(dir, "package.json"), '{ "name": "broken", "dependencies": {} }\n');
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
    const biome = join(checkoutDir, "node_modules/.bin/biome");
    // There is no git here to ask which files are ignored.
    const args = ["lint", "--vcs-enabled=false", "src"];
    const { status, stdout, stderr } = spawnSync(biome, args, { cwd: dir, encoding: "utf8" });
    assert.match(stdout + stderr, new RegExp(`/${rule} `));
    assert.equal(status, 1);
  });
}
