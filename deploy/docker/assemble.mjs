// Lays out the files that a service's image holds: its package, the workspace packages it uses, what they need from the
// registry, and nothing else. `node deploy/docker/assemble.mjs chat /app`. The Dockerfile runs this, and so does a test, which
// then starts the service from that folder alone.
//
// The workspace's layout is kept (services/chat beside libs/bus) rather than `pnpm deploy`'s, which puts our packages into
// node_modules: there Node refuses to strip types.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const checkoutDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

function fail(line) {
  process.stderr.write(`assemble: ${line}\n`);
  process.exit(1);
}

/** Workspace packages by name, as `{dir, manifest}`. */
function workspace() {
  const found = new Map();
  for (const parent of ["libs", "services"]) {
    for (const name of fs.readdirSync(path.join(checkoutDir, parent))) {
      const dir = `${parent}/${name}`;
      const file = path.join(checkoutDir, dir, "package.json");
      if (!fs.existsSync(file)) continue;
      const manifest = JSON.parse(fs.readFileSync(file, "utf8"));
      found.set(manifest.name, { dir, manifest });
    }
  }
  return found;
}

/** The package and all of ours that it depends on, however far. */
function closure(packages, name, seen = new Set()) {
  const found = packages.get(name);
  if (!found || seen.has(found)) return seen;
  seen.add(found);
  for (const [other, range] of Object.entries(found.manifest.dependencies ?? {}))
    if (range.startsWith("workspace:")) closure(packages, other, seen);
  return seen;
}

/** pnpm as `npm run pnpm` has it, else the one on the PATH. */
function pnpm() {
  const own = path.join(checkoutDir, ".parley/tools/node_modules/pnpm/bin/pnpm.mjs");
  return fs.existsSync(own) ? [process.execPath, [own]] : ["pnpm", []];
}

function main([service, target, ...rest]) {
  if (!service || !target || rest.length > 0) fail("say which service, and into which folder: assemble.mjs chat /app");
  const packages = workspace();
  const wanted = packages.get(`@parley/${service}`);
  if (!wanted?.dir.startsWith("services/") || !fs.existsSync(path.join(checkoutDir, wanted.dir, "src/main.ts"))) {
    const services = [...packages.values()].map(({ dir }) => dir).filter((dir) => dir.startsWith("services/"));
    fail(`there is no service ${service} to run; there are: ${services.map((dir) => path.basename(dir)).join(", ")}`);
  }
  const appDir = path.resolve(target);
  if (fs.existsSync(appDir) && fs.readdirSync(appDir).length > 0) fail(`${appDir} is not empty`);
  fs.mkdirSync(appDir, { recursive: true });

  for (const { dir, manifest } of closure(packages, wanted.manifest.name)) {
    fs.cpSync(path.join(checkoutDir, dir, "src"), path.join(appDir, dir, "src"), { recursive: true });
    fs.writeFileSync(path.join(appDir, dir, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  }
  for (const file of ["package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml", "LICENSE"])
    fs.cpSync(path.join(checkoutDir, file), path.join(appDir, file));
  const [command, args] = pnpm();
  const flags = ["--prod", "--frozen-lockfile", "--prefer-offline", "--ignore-scripts"];
  execFileSync(command, [...args, "install", ...flags], { cwd: appDir, stdio: ["ignore", "ignore", "inherit"] });

  fs.cpSync(path.join(checkoutDir, "deploy/docker/healthcheck.mjs"), path.join(appDir, "healthcheck.mjs"));
  // The page, where it was built: the gateway serves it.
  const page = path.join(checkoutDir, "services/web/dist");
  if (service === "gateway" && fs.existsSync(page)) fs.cpSync(page, path.join(appDir, "page"), { recursive: true });
  // What only installing needed.
  for (const file of ["pnpm-lock.yaml", "node_modules/.modules.yaml", "node_modules/.pnpm-workspace-state-v1.json"])
    fs.rmSync(path.join(appDir, file), { force: true });
}

main(process.argv.slice(2));
