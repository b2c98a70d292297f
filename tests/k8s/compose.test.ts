/** deploy/compose.yaml can't be run where no engine is; what it says can be checked all the same. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { readSettings } from "@parley/service-kit";
import { parse } from "yaml";

interface ComposeService {
  image: string;
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  networks?: string[];
  volumes?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
}

const repository = resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(resolve(repository, file), "utf8");
const compose = parse(read("deploy/compose.yaml"), { merge: true }) as {
  services: Record<string, ComposeService>;
  networks: Record<string, unknown>;
  volumes: Record<string, unknown>;
};
const given = Object.fromEntries(
  read("deploy/compose.example.env")
    .split("\n")
    .filter((line) => line.includes("=") && !line.startsWith("#"))
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
);

/** `${NAME}`, `${NAME:-default}` and `${NAME:?why}`, as compose reads them. */
const filled = (text: string) =>
  text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, how: string | undefined, rest: string) => {
    const value = given[name] ?? (how === "-" ? rest : undefined);
    assert.ok(value !== undefined, `compose.example.env has ${name}`);
    return value;
  });

/** Those that the image's own environment has, as the Dockerfile says. */
const ofImage = Object.fromEntries(
  (/^ENV (.+)$/m.exec(read("deploy/docker/Dockerfile"))?.[1] ?? "").split(" ").map((pair) => pair.split("=")),
);

test("compose runs every service of ours, with settings that it takes", async () => {
  const services = readdirSync(resolve(repository, "services")).filter((name) =>
    existsSync(resolve(repository, "services", name, "src/config.ts")),
  );
  for (const name of services) {
    const service = compose.services[name];
    assert.ok(service, `${name} is in compose.yaml`);
    const environment = Object.fromEntries(
      Object.entries(service.environment ?? {}).map(([setting, value]) => [setting, filled(String(value))]),
    );
    const exported = Object.values(await import(resolve(repository, "services", name, "src/config.ts")));
    const schema = exported.find((each) => (each as { type?: string }).type === "object") as Parameters<
      typeof readSettings
    >[0];
    readSettings(schema, { ...ofImage, ...environment });
    for (const setting of Object.keys(environment)) assert.ok(setting in schema.properties, `${name}: ${setting}`);
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
  }
});

test("what compose names exists, and who is waited for can be healthy", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    assert.match(filled(service.image), /^[\w./-]+:(?!latest$)[\w.-]+$/, name);
    for (const network of service.networks ?? []) assert.ok(network in compose.networks, `${name}: ${network}`);
    for (const volume of service.volumes ?? [])
      assert.ok((volume.split(":")[0] as string) in compose.volumes, `${name}: ${volume}`);
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const needed = compose.services[other];
      assert.ok(needed, `${name} waits for ${other}`);
      if (condition === "service_healthy") assert.ok(needed.healthcheck?.test, `${other} has a health check`);
    }
  }
});
