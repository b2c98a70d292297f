// What we depend on: known holes, and licences that this project may be shipped with.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { checkoutDir } from "./workspace.ts";

/** Findings that were looked into: the advisory's number or GHSA, and why it does not touch us. */
const explained: Record<string, string> = {};

const allowed = new Set([
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "Unlicense",
  "Python-2.0",
  "Zlib",
  "MIT-0",
  "CC-BY-4.0",
]);
/** Not run with ours or not told in the usual form, and looked into. */
const licences: Record<string, string> = {
  lightningcss: "MPL-2.0: builds the page's CSS, and is in nothing that is shipped",
  "lightningcss-linux-x64-gnu": "as lightningcss",
  "uWebSockets.js": "Apache-2.0, in its LICENSE",
  "@uwsjs/core": "Apache-2.0, in its LICENSE",
};

/** Whether an SPDX expression can be met with what is allowed. */
const mayShip = (expression: string): boolean =>
  expression
    .replace(/[()]/g, "")
    .split(/ OR /)
    .some((choice) => choice.split(/ AND /).every((licence) => allowed.has(licence.trim())));

test("every package that is installed may be shipped with this project", () => {
  const manifests = globSync("node_modules/.pnpm/*/node_modules/{*,@*/*}/package.json", { cwd: checkoutDir });
  const faults = new Set<string>();
  let seen = 0;
  for (const file of manifests) {
    const { name, version, license, licenses } = JSON.parse(readFileSync(join(checkoutDir, file), "utf8")) as {
      name?: string;
      version?: string;
      license?: string | { type?: string };
      licenses?: { type?: string }[];
    };
    if (name === undefined || version === undefined || name.startsWith("@parley/")) continue;
    seen++;
    const told = typeof license === "string" ? license : (license?.type ?? licenses?.[0]?.type ?? "none told");
    if (!mayShip(told) && licences[name] === undefined) faults.add(`${name}@${version}: ${told}`);
  }
  assert.ok(seen > 100, `${seen} packages`);
  assert.deepEqual([...faults].sort(), []);
});

const refused = (said: string): string => {
  const status = /responded with (\d{3})/.exec(said)?.[1];
  const how = status === undefined ? "" : `, with status ${status}`;
  return `the registry can't be asked for known holes from here${how}; where it can: npm run pnpm -- audit`;
};

test("no known hole in what is installed is left unexplained", (t) => {
  const pnpm = join(checkoutDir, ".parley/tools/node_modules/pnpm/bin/pnpm.mjs");
  const options = { cwd: checkoutDir, encoding: "utf8", timeout: 60_000, maxBuffer: 64 * 1024 * 1024 } as const;
  const found = spawnSync("pnpm", ["audit", "--json"], options);
  const { stdout } = found.error ? spawnSync(process.execPath, [pnpm, "audit", "--json"], options) : found;
  let report: { advisories?: Record<string, { github_advisory_id?: string; module_name?: string; title?: string }> };
  try {
    report = JSON.parse(stdout) as typeof report;
  } catch {
    return t.skip(refused(`${stdout}${found.stderr ?? ""}`));
  }
  if (report.advisories === undefined) return t.skip(refused(stdout));
  const open = Object.entries(report.advisories).filter(
    ([id, { github_advisory_id: ghsa = "" }]) => explained[id] === undefined && explained[ghsa] === undefined,
  );
  assert.deepEqual(
    open.map(([id, { module_name, title }]) => `${id}: ${module_name}: ${title}`),
    [],
  );
});
