import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { dockerWith } from "@parley/local";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import { startEngine } from "../support/start-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const containersOn = (docker: string, url: string): string =>
  execFileSync(docker, ["ps", "--all", "--quiet", "--filter", `name=parley-${new URL(url).port}-`], {
    encoding: "utf8",
  });

interface Kept {
  write(): Promise<void>;
  read(): Promise<unknown>;
  close(): Promise<unknown>;
}

function redisAt(url: string): Kept {
  const redis = new Redis(url, { retryStrategy: () => 100 });
  redis.on("error", () => {});
  return {
    write: async () => void (await redis.set("kept", "yes")),
    read: () => redis.get("kept"),
    close: async () => redis.disconnect(),
  };
}

function mongodbAt(url: string): Kept {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 1_000 });
  const kept = client.db().collection<{ _id: string; kept: string }>("kept");
  return {
    write: async () => void (await kept.insertOne({ _id: "it", kept: "yes" }, { writeConcern: { w: "majority" } })),
    read: async () => (await kept.findOne({ _id: "it" }))?.kept,
    close: () => client.close(),
  };
}

for (const { name, image, at } of [
  { name: "redis", image: "redis:7", at: redisAt },
  { name: "mongodb", image: "mongo:8", at: mongodbAt },
] as const) {
  const docker = await dockerWith(image, console.log);
  test(`${name} in a container: killed it comes back with what it had, stopped it stands still, and nothing stays behind`, {
    skip: docker === null && `no Docker daemon answers here that has ${image} or can fetch it`,
  }, async (t) => {
    if (docker === null) return;
    // A PATH with nothing but docker, so that no server is found there.
    const dir = mkdtempSync(join(tmpdir(), "parley-docker-"));
    const shim = join(dir, "docker");
    writeFileSync(shim, `#!/bin/sh\nexec '${docker}' "$@"\n`);
    chmodSync(shim, 0o755);
    const before = process.env.PATH;
    process.env.PATH = dir;
    const engine = await startEngine(t, name).finally(() => {
      process.env.PATH = before;
    });
    // Only now, so that it is there until the engine has been stopped.
    t.after(() => rmSync(dir, { recursive: true }));
    assert.equal(engine.description, `Docker image ${image}`);
    const kept = at(engine.url);
    t.after(() => kept.close());
    const silence = () => sleep(1_000, "silence", { ref: false });
    const answer = () => Promise.race([kept.read().catch(() => "an error"), silence()]);
    await kept.write();

    const killed = containersOn(docker, engine.url);
    engine.kill9();
    await waitFor("another container in its place", () => !["", killed].includes(containersOn(docker, engine.url)));
    await waitFor("the server to be back with its data", async () => (await answer()) === "yes");

    engine.pause();
    await waitFor("the server to stand still", async () => (await answer()) === "silence");
    engine.resume();
    await waitFor("the server to go on", async () => (await answer()) === "yes");

    await kept.close();
    await engine.stop();
    await waitFor("no container", () => containersOn(docker, engine.url) === "");
  });
}
