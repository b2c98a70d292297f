/** What the images hold, without an engine: each service's files laid out as the Dockerfile does, and started from there. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { services } from "@parley/local";
import { startTestNats } from "../support/start-nats.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const checkoutDir = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

const parent = mkdtempSync(join(tmpdir(), "parley-images-"));
after(() => rmSync(parent, { recursive: true }));
const assembled = new Map<string, Promise<string>>();

/** The folder of a service's files, laid out once. */
function assemble(service: string): Promise<string> {
  const make = async () => {
    const dir = join(parent, service);
    await run(process.execPath, [join(checkoutDir, "deploy/docker/assemble.mjs"), service, dir]);
    return dir;
  };
  const dir = assembled.get(service) ?? make();
  assembled.set(service, dir);
  return dir;
}

function walk(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

test("an image's files are the service's own, lead nowhere outside, and hold nothing of tests or tools", async () => {
  for (const { name } of services) {
    const dir = await assemble(name);
    const own = realpathSync(dir);
    const files = walk(dir);
    for (const file of files) {
      if (lstatSync(file).isSymbolicLink())
        assert.ok(realpathSync(file).startsWith(`${own}/`), `${relative(dir, file)} leads outside`);
    }
    const ours = files.map((file) => relative(dir, file)).filter((file) => !file.includes("node_modules/"));
    assert.deepEqual(
      ours.filter((file) => /\.test\.ts$|^tests|pnpm-lock|(^|\/)\.env/.test(file)),
      [],
    );
    assert.deepEqual(readdirSync(join(dir, "services")), [name], "no other service's code");
    const installed = readdirSync(join(dir, "node_modules/.pnpm"));
    for (const tool of ["typescript", "@biomejs", "vite", "playwright", "fast-check"])
      assert.ok(!installed.some((each) => each.startsWith(tool)), `${name} holds ${tool}`);
  }
});

test("gateway and chat start from their images' files alone, and a message passes", async (t) => {
  const nats = await startTestNats(t);
  const state = tempDir(t);
  const start = async (service: string, settings: Record<string, string>) => {
    const dir = await assemble(service);
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "src/main.ts"], {
      cwd: join(dir, "services", service),
      // Nothing of this process's environment: the image has its own.
      env: { NODE_ENV: "production", NATS_URL: nats.url, INTERNAL_TOKEN: "a-token-for-the-test", ...settings },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    const exited = new Promise<number | null>((end) => child.once("exit", end));
    t.after(async () => {
      child.kill("SIGTERM");
      assert.equal(await exited, 0, `${service} ends by itself: ${said}`);
    });
    const ready = await waitFor(`${service} to be ready`, () => /^.*ready"\}$/m.exec(said)?.[0], { timeoutMs: 30_000 });
    return { dir, ready: JSON.parse(ready) as { port?: number; api: { port: number } } };
  };
  const chat = await start("chat", { STORE_URL: `sqlite:${join(state, "parley.db")}` });
  const gateway = await start("gateway", { HOST: "127.0.0.1", PORT: "0", GUEST_KEY: "k".repeat(32), DRAIN_MS: "100" });

  const client = await connectTestClient(`ws://127.0.0.1:${gateway.ready.port}/ws`);
  await client.registerGuest("Ada");
  await client.request("JoinRoom", { room: "image" });
  await client.request("SendMessage", { room: "image", clientMessageId: "1", text: "from an image" });
  const told = await client.waitForEvent("message");
  assert.equal((told.data as { text: string }).text, "from an image");
  await client.close();

  const check = (port: number) =>
    run(process.execPath, [join(chat.dir, "healthcheck.mjs")], { env: { INTERNAL_PORT: String(port) } });
  await check(chat.ready.api.port);
  await assert.rejects(check(1), "a service that does not answer is not healthy");
});

test("assembling says what is wrong", async (t) => {
  const script = join(checkoutDir, "deploy/docker/assemble.mjs");
  await assert.rejects(
    run(process.execPath, [script, "nosuch", tempDir(t)]),
    /no service nosuch to run; there are: .*chat/,
  );
  await assert.rejects(run(process.execPath, [script, "chat", import.meta.dirname]), /is not empty/);
  await assert.rejects(run(process.execPath, [script]), /say which service/);
});

test("the Dockerfiles have the versions that package.json pins", () => {
  const { config } = JSON.parse(readFileSync(join(checkoutDir, "package.json"), "utf8"));
  for (const name of ["Dockerfile", "load.Dockerfile"]) {
    const dockerfile = readFileSync(join(checkoutDir, "deploy/docker", name), "utf8");
    assert.equal(/^ARG NODE=(.+)$/m.exec(dockerfile)?.[1], config.node, name);
    assert.equal(/^ARG PNPM=(.+)$/m.exec(dockerfile)?.[1], config.pnpm, name);
  }
});
