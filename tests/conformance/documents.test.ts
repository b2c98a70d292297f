import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import test from "node:test";
import { scenarios } from "../load/src/options.ts";
import { checkoutDir, sourceFiles } from "./workspace.ts";

const isGenerated = (name: string) => name === "node_modules" || name === "dist";
const textOf = (path: string) => readFileSync(join(checkoutDir, path), "utf8");
const documents = globSync("**/*.md", { cwd: checkoutDir, exclude: isGenerated })
  .sort()
  .map((path) => ({ path, text: textOf(path) }));

/** Headings' anchors, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#{1,6} (.+)$/gm);
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
  return new Set(Array.from(headings, ([, heading = ""]) => slug(heading)));
}

/** `path: found` of all that the pattern's first group finds in the documents and that does not pass. */
function faults(pattern: RegExp, passes: (found: string, path: string) => boolean): string[] {
  return documents.flatMap(({ path, text }) =>
    Array.from(text.matchAll(pattern), ([, found = ""]) => found)
      .filter((found) => !passes(found, path))
      .map((found) => `${path}: ${found}`),
  );
}

test("links between documents lead to files and headings that exist", () => {
  const dead = faults(/\]\((?!https?:|mailto:)([^)\s]+)\)/g, (link, from) => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? from : relative(checkoutDir, resolve(checkoutDir, dirname(from), path));
    if (!existsSync(join(checkoutDir, target))) return false;
    return anchor === undefined || anchorsOf(textOf(target)).has(anchor);
  });
  assert.deepEqual(dead, []);
});

test("commands that the documents name exist", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
  assert.deepEqual(
    faults(/\bnpm run ([\w-]+)/g, (name) => name in scripts),
    [],
  );
  assert.deepEqual(
    faults(/--filter @parley\/([\w-]+ [\w-]+)/g, (found) => {
      const [name, script = ""] = found.split(" ");
      const [manifest] = globSync(`*/${name}/package.json`, { cwd: checkoutDir }).concat(`${name}/package.json`);
      const ours = JSON.parse(textOf(manifest!)) as { scripts?: Record<string, string> };
      return script in (ours.scripts ?? {}) || ["pack", "add"].includes(script) || script.startsWith("--");
    }),
    [],
  );
});

test("scenarios, drills and flags that the documents name exist", () => {
  const known: readonly string[] = [...scenarios, "timers"];
  assert.deepEqual(
    faults(/\bnpm run load -- ([a-z]+)/g, (name) => known.includes(name)),
    [],
  );
  const flags = textOf("deploy/local/src/flags.ts") + textOf("deploy/local/src/services.ts");
  assert.deepEqual(
    faults(/\bnpm start -- --([a-z-]+)/g, (name) => flags.includes(name)),
    [],
  );
});

test("files and folders that the documents name exist", () => {
  const tops = "deploy|docs|examples|k8s|libs|services|tests";
  const named = new RegExp(`(?:\`|\\bnode )((?:${tops})/[\\w./-]+)`, "g");
  const generated = /(^|\/)dist(\/|$)/;
  const missing = faults(named, (path) => generated.test(path) || existsSync(join(checkoutDir, path)));
  assert.deepEqual(missing, []);
});

test("settings that the documents name are read somewhere", () => {
  const sources = sourceFiles("deploy", "examples", "libs", "services", "tests").map(({ text }) => text);
  const others = globSync(["deploy/**/*.{yaml,conf,sh}", "deploy/**/*Dockerfile", "k8s/**/*.yaml"], {
    cwd: checkoutDir,
  });
  const all = sources.concat(others.map(textOf)).join("\n");
  const names = new Set(all.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g));
  assert.deepEqual(
    faults(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?=[`=])/g, (name) => names.has(name) || name.startsWith("NODE_")),
    [],
  );
});
