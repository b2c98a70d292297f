// What `npm start`, `npm test` and the other commands run first. It is plain JavaScript with no dependencies, because it
// runs before anything is installed, on whatever Node the machine has: it sees to Node 22, pnpm, the dependencies and
// the built page, each only when missing or out of date, and then hands over to the command's own TypeScript.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const checkoutDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const toolsDir = path.join(checkoutDir, ".parley/tools");
const manifest = JSON.parse(fs.readFileSync(path.join(checkoutDir, "package.json"), "utf8"));
const nodeVersion = manifest.config.node;
const pnpmVersion = manifest.config.pnpm;

const commands = {
  start: { entry: "deploy/local/src/launch.ts", needsPage: true },
  test: { entry: "tests/run-tests.ts", needsPage: true },
  check: { entry: "tests/run-tests.ts", args: ["--check-only"] },
  "copy-store": { entry: "libs/store/copy-store.ts" },
  load: { entry: "tests/load/src/main.ts", needsPage: true },
  "nats-permissions": { entry: "libs/bus/print-permissions.ts" },
  fuzz: { entry: "tests/fuzz/main.ts" },
  token: { entry: "deploy/local/src/token.ts" },
  manifests: { entry: "deploy/manifests/src/write.ts" },
  pnpm: {},
};

function say(line) {
  process.stdout.write(`parley: ${line}\n`);
}

/** Ends the bootstrap with one clear sentence. */
function fail(line) {
  process.stderr.write(`parley: ${line}\n`);
  process.exit(1);
}

/** `22.23.3` → [22, 23]. */
function majorMinor(version) {
  return version.split(".").slice(0, 2).map(Number);
}

function hostNodeWillDo() {
  const [major, minor] = majorMinor(process.versions.node);
  return major === 22 && minor >= 18;
}

/** The registry's package that holds nothing but Node's binary for this platform; it needs no install script. */
function nodePackage() {
  const platform = process.platform === "win32" ? "win" : process.platform;
  return `node-${platform}-${process.arch}`;
}

const toolsNode = path.join(
  toolsDir,
  "node_modules",
  nodePackage(),
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);
const pnpmEntry = path.join(toolsDir, "node_modules/pnpm/bin/pnpm.mjs");
const node = hostNodeWillDo() ? process.execPath : toolsNode;

/** The environment with Node 22 first on the PATH, and without what an outer `npm run` left for its own children. */
function cleanEnv() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^npm_(package|lifecycle|config_local_prefix|command|node_execpath|execpath)/.test(name)) delete env[name];
  }
  env.PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ""}`;
  return env;
}

/** Runs a command to its end with its output shown; a failure or a signal ends the bootstrap too. */
function runStep(what, command, args, options) {
  const result = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"], env: cleanEnv(), ...options });
  if (result.signal) process.exit(128 + os.constants.signals[result.signal]);
  if (result.error) fail(`${what}: cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`${what} failed (exit code ${result.status}); what it said stands above.`);
}

function readText(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Node 22 and pnpm, from the registry into .parley/tools. The stamp is written last, so a broken run is done again. */
function ensureTools() {
  const packages = [`pnpm@${pnpmVersion}`];
  if (!hostNodeWillDo()) packages.unshift(`${nodePackage()}@${nodeVersion}`);
  const stampFile = path.join(toolsDir, "installed");
  const wanted = `${packages.join(" ")} ${process.platform} ${process.arch}\n`;
  if (readText(stampFile) === wanted && fs.existsSync(pnpmEntry) && fs.existsSync(node)) return;

  const nodeReason = hostNodeWillDo()
    ? ""
    : `Node ${nodeVersion} (this machine's is ${process.versions.node}; Parley's sockets and store need 22) and `;
  say(`fetching ${nodeReason}pnpm ${pnpmVersion} from the npm registry into .parley/tools, once`);
  fs.rmSync(toolsDir, { recursive: true, force: true });
  fs.mkdirSync(toolsDir, { recursive: true });
  fs.writeFileSync(path.join(toolsDir, "package.json"), '{ "private": true }\n');
  // Through npm's own script when npm started us: that one is surely there, and needs no shell on Windows.
  const npmScript = process.env.npm_execpath;
  const [npm, npmArgs] = npmScript?.endsWith("npm-cli.js") ? [process.execPath, [npmScript]] : ["npm", []];
  const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const env = { ...cleanEnv(), PATH: process.env.PATH };
  runStep("fetching the tools", npm, [...npmArgs, "install", ...quiet, ...packages], { cwd: toolsDir, env });
  const check = spawnSync(node, ["--version"], { encoding: "utf8" });
  if (check.status !== 0) {
    fail(
      `the fetched Node ${nodeVersion} does not run on this machine; install Node 22.18 or newer of 22 and try again.`,
    );
  }
  fs.writeFileSync(stampFile, wanted);
}

/** The folders of the workspace's packages, as pnpm-workspace.yaml lists them. */
function workspaceDirs() {
  const listed = readText(path.join(checkoutDir, "pnpm-workspace.yaml")).match(/^ {2}- .+$/gm) ?? [];
  return listed.flatMap((line) => {
    const pattern = line.slice(4).trim();
    if (!pattern.endsWith("/*")) return [pattern];
    const parent = pattern.slice(0, -2);
    return fs.readdirSync(path.join(checkoutDir, parent)).map((name) => `${parent}/${name}`);
  });
}

function packageDirs() {
  return workspaceDirs().filter((dir) => fs.existsSync(path.join(checkoutDir, dir, "package.json")));
}

function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    hash.update(`${file}\0`);
    hash.update(fs.readFileSync(path.join(checkoutDir, file)));
  }
  return hash.digest("hex");
}

function ensureDependencies() {
  const dirs = packageDirs();
  const inputs = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ...dirs.map((dir) => `${dir}/package.json`)];
  // Inside node_modules, so that removing the one removes the other.
  const stampFile = path.join(checkoutDir, "node_modules/.parley-installed");
  const wanted = hashOf(inputs);
  const folderMissing = dirs.some((dir) => {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(
      readText(path.join(checkoutDir, dir, "package.json")),
    );
    const expected = Object.keys(dependencies).length + Object.keys(devDependencies).length > 0;
    return expected && !fs.existsSync(path.join(checkoutDir, dir, "node_modules"));
  });
  if (readText(stampFile) === wanted && !folderMissing) return;

  say("installing the dependencies that pnpm-lock.yaml names");
  fs.rmSync(stampFile, { force: true });
  // Never asks: a node_modules that another pnpm laid out is simply laid out anew.
  const flags = ["--frozen-lockfile", "--prefer-offline", "--config.confirm-modules-purge=false"];
  runStep("installing the dependencies", node, [pnpmEntry, "install", ...flags], { cwd: checkoutDir });
  fs.writeFileSync(stampFile, wanted);
}

function filesUnder(dir) {
  const absolute = path.join(checkoutDir, dir);
  if (!fs.existsSync(absolute)) return [];
  return fs.readdirSync(absolute, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name === "dist" || entry.name === "test") return [];
    const file = `${dir}/${entry.name}`;
    return entry.isDirectory() ? filesUnder(file) : [file];
  });
}

/** The demo page, built by Vite when its sources, or those of the libs it is made of, changed. */
function ensurePage() {
  const pageDir = "services/web";
  if (!fs.existsSync(path.join(checkoutDir, pageDir, "index.html"))) return;
  const sources = [pageDir, "libs/client", "libs/protocol", "libs/react"].flatMap(filesUnder).sort();
  const stampFile = path.join(checkoutDir, ".parley/page-built-from");
  const isBuilt = fs.existsSync(path.join(checkoutDir, pageDir, "dist/index.html"));
  const wanted = hashOf([...sources, "pnpm-lock.yaml"]);
  if (readText(stampFile) === wanted && isBuilt) return;

  say("building the page in services/web");
  fs.rmSync(stampFile, { force: true });
  runStep("building the page", node, [pnpmEntry, "run", "build"], { cwd: path.join(checkoutDir, pageDir) });
  fs.mkdirSync(path.dirname(stampFile), { recursive: true });
  fs.writeFileSync(stampFile, wanted);
}

/** Becomes the command as far as a terminal can tell: same input and output, signals passed on, same exit code. */
function handOver(args) {
  // The extra channel closes when this process dies in any way, so the command notices even a SIGKILL.
  const child = spawn(node, args, { stdio: ["inherit", "inherit", "inherit", "ipc"], env: cleanEnv() });
  child.on("error", (error) => fail(`cannot run ${node}: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(signal ? 128 + os.constants.signals[signal] : code));
  // A terminal sends Ctrl-C to the child as well; everything else arrives only here.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGHUP", () => child.kill("SIGHUP"));
}

function main() {
  const [name, ...args] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name ?? "") ? commands[name] : undefined;
  if (!command) fail(`unknown command "${name ?? ""}"; there are: ${Object.keys(commands).join(", ")}.`);
  ensureTools();
  if (name === "pnpm") return handOver([pnpmEntry, ...args]);
  ensureDependencies();
  if (command.needsPage) ensurePage();
  // node:sqlite is stable enough for us; its warning in every log is not news.
  handOver([
    "--disable-warning=ExperimentalWarning",
    path.join(checkoutDir, command.entry),
    ...(command.args ?? []),
    ...args,
  ]);
}

if (majorMinor(process.versions.node)[0] < 20) {
  fail(
    `Parley needs Node 20 or newer to start (it then gets Node 22 by itself); this is Node ${process.versions.node}.`,
  );
}
main();
