import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type BusRole, natsAuthorization } from "@parley/bus";
import { nats } from "@parley/local";
import type { Teardown } from "./teardown.ts";
import { tempDir } from "./temp-dir.ts";
import { waitFor } from "./wait-for.ts";

export interface SecuredNats {
  /** Without user and password. */
  url: string;
  passwordOf(role: BusRole): string;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A NATS server in which each service has a user and permissions of its own. `more`: further lines of its configuration. */
export async function startSecuredNats(teardown: Teardown, more = ""): Promise<SecuredNats> {
  const found = await nats.locate(() => {});
  if (found.kind !== "startable") throw new Error("this needs a NATS server that can be started, not NATS_URL");
  const dir = tempDir(teardown);
  mkdirSync(join(dir, "data"));
  const passwordOf = (role: BusRole) => `the password of ${role}`;
  const config = join(dir, "nats.conf");
  writeFileSync(config, `${natsAuthorization((role) => JSON.stringify(passwordOf(role)))}\n${more}\n`);
  const port = await freePort();
  const { file, args } = found.command(port, join(dir, "data"));
  const server = spawn(file, [...args, "--config", config], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  server.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  teardown.after(async () => {
    server.kill("SIGKILL");
    await ended;
  });
  await waitFor("NATS to listen", () => {
    if (server.exitCode !== null) throw new Error(`nats-server ended: ${said}`);
    return /Server is ready/.test(said);
  });
  return { url: `127.0.0.1:${port}`, passwordOf };
}
