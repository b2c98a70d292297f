import assert from "node:assert/strict";
import { posix } from "node:path";
import test from "node:test";
import { version } from "@parley/service-kit";
import { sourceFiles, type WorkspacePackage, workspacePackages } from "./workspace.ts";

/** Which packages of ours each may depend on; one that is not here has to be decided on first. */
const forServices = ["protocol", "bus", "service-kit", "store", "jobs"];
const mayDependOn: Record<string, readonly string[] | "any"> = {
  protocol: [],
  "service-kit": [],
  bus: ["protocol"],
  store: ["protocol"],
  jobs: ["protocol"],
  client: ["protocol"],
  // Its tests start a stack.
  react: ["client", "local"],
  // Its connections must not wait for a store or a queue: it only relays.
  gateway: ["protocol", "bus", "service-kit"],
  chat: forServices,
  presence: forServices,
  timer: forServices,
  notify: forServices,
  sms: forServices,
  web: ["client", "react"],
  local: [],
  manifests: ["bus"],
  payments: ["local"],
  tests: "any",
};

const packages = workspacePackages();

test("each package depends on those of ours that it may, and on no others", () => {
  const faults = packages.flatMap(({ name, dir, ours }) => {
    const allowed = mayDependOn[name];
    if (allowed === undefined) return [`${dir}: ${name} has no line in this test's table`];
    if (allowed === "any") return [];
    return ours.filter((other) => !allowed.includes(other)).map((other) => `${dir}/package.json: ${name} → ${other}`);
  });
  assert.deepEqual(faults, []);
});

test("packages make no cycle", () => {
  const byName = new Map(packages.map((each) => [each.name, each]));
  const cycleFrom = (each: WorkspacePackage, path: readonly string[]): string[] => {
    if (path.includes(each.name)) return [[...path.slice(path.indexOf(each.name)), each.name].join(" → ")];
    return each.ours.flatMap((other) => {
      const next = byName.get(other);
      return next ? cycleFrom(next, [...path, each.name]) : [];
    });
  };
  assert.deepEqual(
    packages.flatMap((each) => cycleFrom(each, [])),
    [],
  );
});

test("all packages have one version, which services tell as theirs", () => {
  const versions = packages.flatMap(({ version }) => version ?? []);
  assert.deepEqual([...new Set(versions)], [version]);
});

test("no relative import leaves its package", () => {
  const faults = packages.flatMap(({ dir }) =>
    sourceFiles(dir).flatMap(({ path, text }) => {
      const specifiers = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["'](\.{1,2}\/[^"']*)["']/g)];
      const outside = specifiers.filter(([, specifier = ""]) => {
        const target = posix.join(posix.dirname(path), specifier);
        return !target.startsWith(`${dir}/`);
      });
      return outside.map(([, specifier]) => `${path} imports ${specifier}`);
    }),
  );
  assert.deepEqual(faults, []);
});
