// Builds every service's image and says how large it is: `node deploy/docker/build.mjs`.
//   --tag TAG        of the images; dev unless set
//   --prefix NAME    before the service's name; parley/ unless set
//   --files          no engine: lays out each image's files instead, and says their sizes
//   chat sms …       only these
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const dockerDir = path.dirname(fileURLToPath(import.meta.url));
const checkoutDir = path.resolve(dockerDir, "../..");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tag: { type: "string", default: "dev" },
    prefix: { type: "string", default: "parley/" },
    files: { type: "boolean", default: false },
  },
});

const all = fs
  .readdirSync(path.join(checkoutDir, "services"))
  .filter((name) => fs.existsSync(path.join(checkoutDir, "services", name, "src/main.ts")));
const unknown = positionals.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`build: no service ${unknown.join(", ")}; there are: ${all.join(", ")}\n`);
  process.exit(1);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Without following links, which pnpm's layout is full of. */
function bytesUnder(dir) {
  let bytes = 0;
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) bytes += bytesUnder(file);
    else if (entry.isFile()) bytes += fs.statSync(file).size;
  }
  return bytes;
}

function files(service) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), `parley-${service}-`));
  try {
    execFileSync(process.execPath, [path.join(dockerDir, "assemble.mjs"), service, dir], { stdio: "inherit" });
    return bytesUnder(dir);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
}

function image(service) {
  const name = `${values.prefix}${service}:${values.tag}`;
  const dockerfile = path.join(dockerDir, "Dockerfile");
  const args = ["build", "--build-arg", `SERVICE=${service}`, "--tag", name, "--file", dockerfile, checkoutDir];
  execFileSync("docker", args, { stdio: "inherit" });
  return Number(execFileSync("docker", ["image", "inspect", "--format", "{{.Size}}", name], { encoding: "utf8" }));
}

if (!values.files && spawnSync("docker", ["info"]).status !== 0) {
  process.stderr.write(
    "build: Docker does not answer. Start it, or use --files to lay out what the images would hold.\n",
  );
  process.exit(1);
}
const sizes = (positionals.length > 0 ? positionals : all).map((service) => [
  service,
  values.files ? files(service) : image(service),
]);
for (const [service, bytes] of sizes) process.stdout.write(`${service.padEnd(10)} ${megabytes(bytes).padStart(10)}\n`);
