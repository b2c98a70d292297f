import assert from "node:assert/strict";
import { basename } from "node:path";
import test from "node:test";
import { linesWith, sourceFiles } from "./workspace.ts";

const product = sourceFiles("libs/*/src", "services/*/src");
const all = [...product, ...sourceFiles("libs/*/test", "services/*/test", "deploy", "tests")];

test("only config.ts reads the environment", () => {
  const others = product.filter(({ path }) => basename(path) !== "config.ts");
  assert.deepEqual(linesWith(others, /\bprocess\.env\b/), []);
});

test("subjects are built in libs/bus/src/subjects.ts only", () => {
  // What runs in a browser has no bus; its storage keys only look like subjects.
  const exempt = /^(libs\/(client|react)|services\/web|libs\/bus\/src\/subjects\.ts)\b/;
  const others = product.filter(({ path }) => !exempt.test(path));
  // So do the subprotocol's name and the store's file.
  const subjectLiteral = /["'`]parley\.(?!v\d|db\b)/;
  const literalOnTheBus = /\b(nc|connection)\.(publish|subscribe|request)\(\s*["'`]\w/;
  assert.deepEqual([...linesWith(others, subjectLiteral), ...linesWith(others, literalOnTheBus)], []);
});

test("files are named in kebab-case, for what they hold", () => {
  const wellNamed = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.(ts|tsx|js|mjs)$/;
  const saysNothing = /(^|-)(managers?|helpers?|utils?|common)(-|\.)/;
  const faults = all
    .map(({ path }) => path)
    .filter((path) => {
      const name = basename(path);
      return !wellNamed.test(name) || saysNothing.test(name);
    });
  assert.deepEqual(faults, []);
});
