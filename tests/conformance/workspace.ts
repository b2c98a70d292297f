import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const checkoutDir = resolve(import.meta.dirname, "../..");

/** A package of the workspace. */
export interface WorkspacePackage {
  /** Without the scope: `bus`. */
  name: string;
  /** Relative to the checkout: `libs/bus`. */
  dir: string;
  /** None where it is never published. */
  version: string | undefined;
  /** Packages of ours that it depends on in any way, without the scope. */
  ours: string[];
}

/** A source file of ours. */
export interface SourceFile {
  /** Relative to the checkout. */
  path: string;
  text: string;
}

const scope = "@parley/";
const isGenerated = (name: string) => name === "node_modules" || name === "dist";

/** Every package that pnpm-workspace.yaml names. */
export function workspacePackages(): WorkspacePackage[] {
  const listed = readFileSync(join(checkoutDir, "pnpm-workspace.yaml"), "utf8").match(/^ {2}- .+$/gm) ?? [];
  const manifests = globSync(
    listed.map((line) => `${line.slice(4).trim()}/package.json`),
    { cwd: checkoutDir, exclude: isGenerated },
  );
  return manifests.sort().map((path) => {
    const manifest = JSON.parse(readFileSync(join(checkoutDir, path), "utf8")) as Record<string, unknown>;
    const kinds = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
    const all = kinds.flatMap((kind) => Object.keys((manifest[kind] as object | undefined) ?? {}));
    return {
      name: String(manifest.name).replace(scope, ""),
      dir: path.slice(0, -"/package.json".length),
      version: manifest.version as string | undefined,
      ours: all.filter((name) => name.startsWith(scope)).map((name) => name.slice(scope.length)),
    };
  });
}

/** Every TypeScript and JavaScript file under these folders. */
export function sourceFiles(...folders: string[]): SourceFile[] {
  const patterns = folders.map((folder) => `${folder}/**/*.{ts,tsx,js,mjs}`);
  const paths = globSync(patterns, { cwd: checkoutDir, exclude: isGenerated });
  return paths.sort().map((path) => ({ path, text: readFileSync(join(checkoutDir, path), "utf8") }));
}

/** `path:line` of each line of code, comments aside, that the pattern is found in. */
export function linesWith(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const isComment = /^\s*(\/\/|\/?\*)/.test(line);
      return !isComment && pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [];
    }),
  );
}
