// `npm test`: the linter, the compiler, then every test file, those that kill things last and alone.
// `npm test -- chat faults`: only the files whose path contains one of these words, and no checks.
// `npm test -- --store mongodb`, with or without such words: only what runs on a stack of services, with MongoDB as its store.
// `npm run check`: only the linter and the compiler.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { parseArgs } from "node:util";
import { findOnPath, mongodb, nats, redis } from "@parley/local";
import { ensureChromium } from "./support/chromium.ts";
import { createTestReport, type TestReport } from "./support/test-report.ts";

const checkoutDir = resolve(import.meta.dirname, "..");
const sideBySide = 2;
/** One file's time; a hanging test must not eat all of the run's. */
const fileTimeoutMs = 8 * 60_000;

const testFolders = [
  "libs/*/test",
  "services/*/test",
  "deploy/local/test",
  "tests/{fuzz,conformance,integration,store,k8s,e2e,load/test}",
];
const faultFolders = ["tests/faults"];
/** Where files start a stack; `--store mongodb` runs those that do. */
const stackFolders = ["tests/{integration,e2e}"];
/** A choice of them that each `npm test` runs once more with MongoDB as the store, as far as its time allows. */
const onMongodbToo = {
  sideBySide: ["tests/integration/sdk", "tests/integration/workers"],
  alone: ["tests/faults/gateway-killed"],
};
/** Says by itself whether there was a MongoDB to run on. */
const mongodbSuite = "tests/store/mongodb-contract.test.ts";
const auditSuite = "tests/conformance/dependencies.test.ts";

function filesIn(folders: readonly string[], words: readonly string[]): string[] {
  const files = globSync(
    folders.map((folder) => `${folder}/**/*.test.ts`),
    {
      cwd: checkoutDir,
      exclude: (name) => name === "node_modules",
    },
  );
  return files.filter((file) => words.length === 0 || words.some((word) => file.includes(word))).sort();
}

/** A command of the workspace's own; what it finds is shown. */
function passes(command: string, ...args: string[]): boolean {
  const file = join(checkoutDir, "node_modules/.bin", command);
  return spawnSync(file, args, { cwd: checkoutDir, stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

function runChecks(report: TestReport): void {
  report.count("biome: format, lint, imports", passes("biome", "check", "--error-on-warnings", "."));
  for (const project of [".", "libs/react", "services/web"]) {
    if (!existsSync(join(checkoutDir, project, "tsconfig.json"))) continue;
    report.count(`tsc: types of ${project === "." ? "all that runs in Node" : project}`, passes("tsc", "-p", project));
  }
}

async function runFiles(
  report: TestReport,
  files: readonly string[],
  atOnce: number,
  signal: AbortSignal,
  note = "",
): Promise<void> {
  const queue = [...files];
  const work = async () => {
    for (let file = queue.shift(); file !== undefined && !signal.aborted; file = queue.shift()) {
      const absolute = join(checkoutDir, file);
      // A run for each file: one run of all would hold back what a file says until those before it have ended.
      const execArgv = ["--disable-warning=ExperimentalWarning"];
      await report.follow(absolute, run({ files: [absolute], execArgv, timeout: fileTimeoutMs, signal }), note);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** Runs these with MongoDB as each stack's store: first some side by side, then the others one after another. */
async function runOnMongodb(
  report: TestReport,
  files: { sideBySide: readonly string[]; alone: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  process.env.PARLEY_TEST_STORE = "mongodb";
  await runFiles(report, files.sideBySide, sideBySide, signal, " on MongoDB");
  await runFiles(report, files.alone, 1, signal, " on MongoDB");
  delete process.env.PARLEY_TEST_STORE;
}

/** The second pass, where there is a MongoDB. Answers what it ran on, or why it did not. */
async function runSomeOnMongodb(report: TestReport, words: readonly string[], signal: AbortSignal): Promise<string> {
  const found = await mongodb.locate(() => {}).catch((error: Error) => error);
  if (found instanceof Error) return `none, its suites were skipped (${found.message})`;
  const files = filesIn([...stackFolders, ...faultFolders], words);
  const chosen = (starts: readonly string[]) => files.filter((file) => starts.some((start) => file.startsWith(start)));
  const { sideBySide, alone } = onMongodbToo;
  await runOnMongodb(report, { sideBySide: chosen(sideBySide), alone: chosen(alone) }, signal);
  return found.description;
}

/** Each file that starts a stack, on MongoDB, one after another: the server may be a slow one. Answers what the stores were, in lines. */
async function runAllOnMongodb(report: TestReport, words: readonly string[], signal: AbortSignal): Promise<string[]> {
  const { description } = await mongodb.locate(() => {});
  // The drills and the soak do so elsewhere.
  const calls = /\b(start\w*Stack|run\w*Drill|soak)\(/;
  const startsStack = (file: string) => calls.test(readFileSync(join(checkoutDir, file), "utf8"));
  const files = [...filesIn(stackFolders, words), ...filesIn(faultFolders, words)].filter(startsStack);
  if (files.length === 0) throw new Error(`no file that starts a stack has ${words.join(" or ")} in its path`);
  await runOnMongodb(report, { sideBySide: [], alone: files }, signal);
  const standIn = description.startsWith("FerretDB")
    ? ", which stands in for MongoDB: tests send less there, and those it is too slow for are among the skipped"
    : "";
  return [
    `MongoDB, as the store of every stack in these ${files.length} files: ${description}${standIn}`,
    "SQLite: no stack ran on it",
  ];
}

/** What the suites ran on, for whoever reads a log. */
async function engineLines(
  storeLines: readonly string[],
  browser: string | null,
  audited: boolean | null,
): Promise<string[]> {
  const described = async (engine: typeof nats) =>
    (await engine.locate(() => {}).catch((error: Error) => ({ description: `none (${error.message})` }))).description;
  const lines = [
    `Node: ${process.versions.node}`,
    `NATS, for integration, e2e and fault tests: ${await described(nats)}`,
    `Redis, for presence, SMS and notifications: ${await described(redis)}`,
    ...storeLines,
  ];
  if (audited !== null)
    lines.push(
      audited
        ? "Known holes in what is installed: asked of the registry (pnpm audit)"
        : "Known holes in what is installed: NOT ASKED, the registry refuses here (pnpm audit); docs/security.md says what to run",
    );
  if (browser !== null) lines.push(`Browser, for e2e: ${browser}`);
  return lines;
}

/** Of a run on both stores. */
function bothStores(mongodbWas: string): string[] {
  const again = [...onMongodbToo.sideBySide, ...onMongodbToo.alone].map((start) => start.split("/").at(-1));
  return [
    `SQLite, for the store contract and every stack but those below: ${process.versions.sqlite}`,
    `MongoDB, for the store contract, its migration, copy-store, faults/mongodb, and once more for ${again.join(", ")}: ${mongodbWas}`,
  ];
}

/** Finds a browser for the end-to-end tests; answers what it is. */
function findBrowser(): string {
  const chromium = ensureChromium((line) => console.log(`parley: ${line}`));
  if (chromium.file === null) return `none (${chromium.reason})`;
  process.env.CHROMIUM_PATH = chromium.file;
  return browserVersion(chromium.file);
}

function browserVersion(file: string): string {
  const { stdout } = spawnSync(file, ["--version"], { encoding: "utf8" });
  return `${stdout?.trim() || "of unknown version"} (${file})`;
}

/** Runs every file that was asked for; answers what the stores were, in lines. */
async function runOnBothStores(report: TestReport, words: readonly string[], signal: AbortSignal): Promise<string[]> {
  const files = filesIn(testFolders, words);
  const faultFiles = filesIn(faultFolders, words);
  if (files.length + faultFiles.length === 0) throw new Error(`no test file's path contains ${words.join(" or ")}`);
  await runFiles(report, files, sideBySide, signal);
  await runFiles(report, faultFiles, 1, signal);
  const mongodbWas = await runSomeOnMongodb(report, words, signal);
  // A CI that has one and does not use it would say that both stores hold.
  const skipped = report.skippedIn(mongodbSuite);
  if (skipped && findOnPath("ferretdb", "mongod") !== null) report.count(`${mongodbSuite} ran, not skipped`, false);
  return bothStores(mongodbWas);
}

function parse(args: string[]): { words: string[]; checkOnly: boolean; store: string | undefined } {
  try {
    const options = { "check-only": { type: "boolean" }, store: { type: "string" } } as const;
    const { values, positionals } = parseArgs({ args, options, strict: true, allowPositionals: true });
    if (values.store !== undefined && values.store !== "mongodb") {
      throw new Error(
        `--store takes mongodb, not "${values.store}"; without it all runs on SQLite, and some on MongoDB too`,
      );
    }
    return { words: positionals, checkOnly: values["check-only"] === true, store: values.store };
  } catch (error) {
    const [what] = (error as Error).message.split(". ");
    throw new Error(`${what}. Give parts of file names, as in: npm test -- chat, or npm test -- --store mongodb rooms`);
  }
}

async function main(args: string[], signal: AbortSignal): Promise<number> {
  const { words, checkOnly, store } = parse(args);
  const report = createTestReport(checkoutDir);
  if (checkOnly || (words.length === 0 && store === undefined)) runChecks(report);

  if (!checkOnly) {
    const browser = filesIn(["tests/e2e"], words).length > 0 ? findBrowser() : null;
    const stores =
      store === undefined ? await runOnBothStores(report, words, signal) : await runAllOnMongodb(report, words, signal);
    report.printDetails();
    const ranAudit = store === undefined && filesIn(testFolders, words).includes(auditSuite);
    const audited = ranAudit ? !report.skippedIn(auditSuite) : null;
    console.log(`\n${(await engineLines(stores, browser, audited)).join("\n")}\n`);
  }
  const { passed, failed, skipped } = report.totals();
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

const interrupted = new AbortController();
// All temporary folders of the run in one place, so that nothing stays behind even of tests that were cut short.
const tempDir = mkdtempSync(join(tmpdir(), "parley-tests-"));
process.env.TMPDIR = tempDir;
// Each stack has a store of its own, whatever the shell that runs the tests has set for `npm start`.
delete process.env.STORE_URL;
const removeTempDir = () => rmSync(tempDir, { recursive: true, force: true, maxRetries: 5 });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "disconnect"] as const) {
  process.on(signal, () => interrupted.abort());
}
process.channel?.unref();
try {
  process.exitCode = await main(process.argv.slice(2), interrupted.signal);
  if (interrupted.signal.aborted) process.exitCode = 130;
} catch (error) {
  console.error(`parley: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  removeTempDir();
}
