/** What production's pods find in their cluster, here: NATS with TLS and users from the rendered configuration, and Redis with a password. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { nats, redis } from "@parley/local";
import type { Teardown } from "../support/teardown.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const run = promisify(execFile);

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A server that ends with the test; resolves once `ready` is in its output. */
async function startServer(teardown: Teardown, file: string, args: string[], env: NodeJS.ProcessEnv, ready: RegExp) {
  const server = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let said = "";
  for (const stream of [server.stdout, server.stderr])
    stream.on("data", (data) => {
      said += data;
    });
  const ended = once(server, "exit");
  teardown.after(async () => {
    server.kill("SIGKILL");
    await ended;
  });
  await waitFor(
    `${file} to be ready`,
    () => {
      if (server.exitCode !== null) throw new Error(said);
      return ready.test(said);
    },
    { timeoutMs: 20_000 },
  );
}

/** A certificate authority, and a certificate of its for NATS, as files in `dir`: ca.crt, tls.crt, tls.key. */
export async function makeCertificates(dir: string): Promise<void> {
  const openssl = (...args: string[]) => run("openssl", args, { cwd: dir });
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    "req",
    "-x509",
    ...ec,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    "/CN=test authority",
  );
  await openssl("req", ...ec, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=nats");
  writeFileSync(join(dir, "names"), "subjectAltName=DNS:nats,DNS:localhost,IP:127.0.0.1\n");
  const signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  await openssl("x509", "-req", "-in", "tls.csr", "-out", "tls.crt", ...signing);
}

/**
 * nats-server with the rendered configuration files; only addresses, ports and the folder of certificates are this machine's.
 * `env` has the passwords.
 */
export async function startRenderedNats(
  teardown: Teardown,
  files: Record<string, string>,
  certificateDir: string,
  env: Record<string, string>,
): Promise<{ port: number }> {
  const found = await nats.locate(() => {});
  if (found.kind !== "startable") throw new Error("this needs a NATS server that can be started, not NATS_URL");
  const dir = tempDir(teardown);
  const [port, http, cluster] = [await freePort(), await freePort(), await freePort()];
  for (const [name, text] of Object.entries(files)) {
    const local = text
      .replaceAll("/etc/nats-tls", certificateDir)
      .replaceAll(/nats-\d\.nats-cluster\.[\w.]+:6222/g, `127.0.0.1:${cluster}`)
      .replace("port: 4222", `port: ${port}`)
      .replace("http_port: 8222", `http_port: ${http}`)
      .replace("port: 6222", `host: "127.0.0.1"\n  port: ${cluster}`);
    writeFileSync(join(dir, name), local);
  }
  const { file } = found.command(port, dir);
  const args = ["--config", join(dir, "nats.conf"), "--addr", "127.0.0.1"];
  await startServer(teardown, file, args, env, /Server is ready/);
  return { port };
}

/** Redis that asks for a password. */
export async function startRedisWithPassword(teardown: Teardown, password: string): Promise<{ url: string }> {
  const found = await redis.locate(() => {});
  if (found.kind !== "startable") throw new Error("this needs a Redis that can be started, not REDIS_URL");
  const dir = tempDir(teardown);
  mkdirSync(join(dir, "data"));
  const port = await freePort();
  const { file, args } = found.command(port, join(dir, "data"));
  await startServer(
    teardown,
    file,
    [...args, "--requirepass", password, "--loglevel", "notice"],
    process.env,
    /Ready to accept connections/,
  );
  return { url: `redis://:${password}@127.0.0.1:${port}` };
}
