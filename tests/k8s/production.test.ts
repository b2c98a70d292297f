/**
 * The environment of production's pods, taken from the rendered manifests, starts the services here: against NATS with that overlay's
 * own configuration (TLS, a user for each service), Redis with a password, and a MongoDB-compatible server. What a cluster would give
 * otherwise is all that is changed: addresses, ports, and where the mounted certificate lies.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { SignJWT } from "jose";
import { startTestMongodb, whyNoMongodb } from "../support/start-mongodb.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import { freePort, makeCertificates, startRedisWithPassword, startRenderedNats } from "./local-engines.ts";
import { environmentOf } from "./pod-environment.ts";
import { cannotRender, k8sDir, type Manifest, parseManifests, renderOverlay, workloadsOf } from "./rendered.ts";

const checkoutDir = resolve(import.meta.dirname, "../..");
const noOpenssl =
  spawnSync("openssl", ["version"]).status !== 0 && "openssl is not on the PATH, so no certificate can be made";
const skip = cannotRender || noOpenssl || ((await whyNoMongodb()) ?? false);

/** Twilio as its SDK speaks to it: takes messages, and counts. */
async function startTwilioDouble(t: TestContext) {
  const sent: { to: string | null; body: string | null; authorization: string | undefined }[] = [];
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    sent.push({ to: form.get("To"), body: form.get("Body"), authorization: request.headers.authorization });
    response.writeHead(201, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ sid: `SM${String(sent.length).padStart(32, "0")}`, status: "queued" }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { sent, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** An operator's secrets: those of secrets.example.yaml, with the addresses of this machine's engines. */
function withValues(examples: Manifest[], values: Record<string, Record<string, string>>): Manifest[] {
  return examples.map((secret) => ({
    ...secret,
    stringData: { ...secret.stringData, ...values[secret.metadata.name] },
  }));
}

test("production's environment runs the system: a message passes, an SMS is sent", { skip }, async (t) => {
  const [mongodb, redis, twilio] = [
    await startTestMongodb(t),
    await startRedisWithPassword(t, "redis-secret"),
    await startTwilioDouble(t),
  ];
  const rendered = renderOverlay("overlays/production");
  const examples = parseManifests(readFileSync(resolve(k8sDir, "overlays/production/secrets.example.yaml"), "utf8"));
  const manifests = [
    ...rendered,
    ...withValues(examples, {
      "parley-store": { url: mongodb.url.replace(/\/[^/]*$/, "/production") },
      "parley-redis": { url: redis.url },
    }),
  ];
  const containerOf = (name: string) => {
    const container = workloadsOf(manifests).find(({ metadata }) => metadata.name === name)?.pod.containers[0];
    assert.ok(container, name);
    return container;
  };

  const certificates = tempDir(t);
  await makeCertificates(certificates);
  const configMap = rendered.find(
    ({ kind, metadata }) => kind === "ConfigMap" && metadata.name.startsWith("nats-config"),
  );
  const natsEnvironment = environmentOf(containerOf("nats"), manifests, { "metadata.name": "nats-0" });
  const nats = await startRenderedNats(t, configMap?.data ?? {}, certificates, natsEnvironment);

  let said = "";
  const start = async (name: string, local: Record<string, string> = {}, args?: string[]) => {
    const container = containerOf(name);
    const ports = { internal: await freePort(), public: await freePort() };
    const given = environmentOf(container, manifests, { "metadata.name": `${name}-0` });
    const env = {
      ...given,
      INTERNAL_HOST: "127.0.0.1",
      INTERNAL_PORT: String(ports.internal),
      METRICS_PORT: "0",
      ...(given.NATS_URL ? { NATS_URL: given.NATS_URL.replace("//nats:4222", `//localhost:${nats.port}`) } : {}),
      ...(given.NATS_TLS_CA ? { NATS_TLS_CA: given.NATS_TLS_CA.replace("/etc/nats-tls", certificates) } : {}),
      ...(given.PORT ? { PORT: String(ports.public), HOST: "127.0.0.1" } : {}),
      ...local,
    };
    const service = container.image.replace(/^.*\/(\w+):.*$/, "$1");
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...(args ?? ["src/main.ts"])], {
      ...{ cwd: resolve(checkoutDir, "services", service), env, stdio: ["ignore", "pipe", "pipe"] },
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data) => {
        said += `${name}: ${data}`;
      });
    return { name, child, ports, token: given.INTERNAL_TOKEN };
  };
  t.after(() => {
    if ((t as { error?: unknown }).error) console.error(said);
  });

  const migration = await start("migrate", {}, containerOf("migrate").args);
  const [code] = await once(migration.child, "exit");
  assert.equal(code, 0, `the migration Job ends well: ${said}`);

  const names = ["chat", "presence", "timer", "notify", "sms", "gateway"];
  const pods = await Promise.all(
    names.map((name) => start(name, name === "sms" ? { TWILIO_API_URL: twilio.url } : {})),
  );
  t.after(async () => {
    for (const { child } of pods) child.kill("SIGKILL");
    await Promise.all(pods.map(({ child }) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  });
  const pod = (name: string) => pods.find((each) => each.name === name) as (typeof pods)[number];
  for (const { name, child, ports } of pods) {
    const { path } = containerOf(name).readinessProbe?.httpGet ?? {};
    await waitFor(
      `${name} to pass its readiness probe`,
      async () => {
        assert.equal(child.exitCode, null, said);
        const port = name === "gateway" ? ports.public : ports.internal;
        return (await fetch(`http://127.0.0.1:${port}${path}`)).ok;
      },
      { timeoutMs: 60_000 },
    );
  }

  const secretOf = (name: string, key: string) =>
    manifests.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name)?.stringData?.[key] as string;
  const tokenFor = (user: string) =>
    new SignJWT({ name: user })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(user)
      .setAudience("parley")
      .setIssuedAt()
      .setExpirationTime("10m")
      .sign(new TextEncoder().encode(secretOf("parley-tokens", "secret")));
  const url = `ws://127.0.0.1:${pod("gateway").ports.public}/ws`;
  const [ada, bob] = [await connectTestClient(url), await connectTestClient(url)];
  for (const [client, user] of [
    [ada, "ada"],
    [bob, "bob"],
  ] as const) {
    await client.request("Register", { token: await tokenFor(user) });
    await client.request("JoinRoom", { room: "production" });
  }
  await ada.request("SendMessage", { room: "production", clientMessageId: "1", text: "over TLS" });
  const told = await bob.waitForEvent("message", undefined, 20_000);
  assert.equal((told.data as { text: string }).text, "over TLS");
  await ada.request("StartTimer", { room: "production", duration: 60 });
  await bob.waitForEvent("timer", undefined, 20_000);

  const { ports, token } = pod("notify");
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const accepted = await fetch(`http://127.0.0.1:${ports.internal}/v1/sms`, {
    ...{ method: "POST", headers },
    body: JSON.stringify({ to: "+12025550123", text: "Debit of 5.00", kind: "transactional" }),
  });
  assert.equal(accepted.status, 202, await accepted.clone().text());
  const { id } = (await accepted.json()) as { id: string };
  await waitFor(
    "the SMS to be sent",
    async () => {
      const answer = await fetch(`http://127.0.0.1:${ports.internal}/v1/sms/${id}`, { headers });
      return ((await answer.json()) as { status: string }).status === "sent";
    },
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(
    twilio.sent.map(({ to, body }) => ({ to, body })),
    [{ to: "+12025550123", body: "Debit of 5.00" }],
  );
  assert.doesNotMatch(said, /permissions? violation/i, "each service may do at NATS what it does");
  await Promise.all([ada.close(), bob.close()]);

  // As a pod ends: after preStop, SIGTERM, and an end well within the grace.
  const begunAtMs = performance.now();
  for (const { name, child } of pods) {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
    assert.equal(child.exitCode, 0, `${name} ends by itself`);
  }
  assert.ok(performance.now() - begunAtMs < 60_000);
});
