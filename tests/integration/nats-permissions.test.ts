// What each service may say and hear on NATS, against a real server that holds it to that.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type BusRole, busRoles, connectBus, inboxPrefix, natsAuthorization, subjects } from "@parley/bus";
import { findOnPath, makeToken } from "@parley/local";
import { startSecuredNats } from "../support/start-secured-nats.ts";
import { startTestStack } from "../support/start-stack.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const server = await startSecuredNats({ after });
const connections = new Map<BusRole, { nc: NatsConnection; refused: string[] }>();

before(async () => {
  for (const role of busRoles) {
    const nc = await connect({
      ...{ servers: server.url, user: role, pass: server.passwordOf(role), inboxPrefix: inboxPrefix(role) },
    });
    const refused: string[] = [];
    void (async () => {
      for await (const status of nc.status()) if (status.type === "error") refused.push(status.error.message);
    })();
    connections.set(role, { nc, refused });
  }
});
after(() => Promise.all([...connections.values()].map(({ nc }) => nc.close())));

/** Whether the server lets the role do it. */
async function may(role: BusRole, how: "publish" | "subscribe", subject: string): Promise<boolean> {
  const { nc, refused } = connections.get(role)!;
  const count = refused.length;
  if (how === "publish") nc.publish(subject, "x");
  else nc.subscribe(subject, { max: 1, callback: () => {} });
  await nc.flush();
  // The refusal comes before the answer to the flush; the iterator hands it on a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  return refused.length === count;
}

const workers: BusRole[] = ["chat", "presence", "timer", "notify"];

test("nobody reaches JetStream, the system's subjects, all subjects or another's inbox", async () => {
  for (const role of busRoles) {
    for (const subject of [
      "$JS.API.STREAM.CREATE.x",
      "$JS.API.INFO",
      "$SYS.REQ.SERVER.PING",
      "_INBOX.x",
      "anything",
      "parley",
    ])
      assert.equal(await may(role, "publish", subject), false, `${role} publishes ${subject}`);
    for (const subject of [">", "*", "parley.>", "$JS.>", "$SYS.>", "_INBOX.>", "_INBOX*.>", "*.*.*"])
      assert.equal(await may(role, "subscribe", subject), false, `${role} subscribes to ${subject}`);
    for (const other of busRoles)
      assert.equal(
        await may(role, "subscribe", `${inboxPrefix(other)}.>`),
        role === other,
        `${role} hears ${other}'s answers`,
      );
  }
});

test("a gateway can't speak as a worker, nor to other gateways, nor overhear batches", async () => {
  for (const subject of [
    ...[subjects.room("r"), subjects.gateways(), subjects.gateway("g1"), subjects.roomChanged(), subjects.presence()],
    ...[subjects.activity(1), subjects.alive("chat"), subjects.timerChanged(), subjects.timerFinished()],
    ...[`${inboxPrefix("chat")}.x`, "$SRV.PING"],
  ])
    assert.equal(await may("gateway", "publish", subject), false, subject);
  for (const subject of [subjects.worker("chat", "w1"), "parley.chat.*", subjects.emit(), subjects.roomChanged()])
    assert.equal(await may("gateway", "subscribe", subject), false, subject);
  for (const subject of [
    subjects.worker("chat", "w1"),
    subjects.roomFromGateway("r"),
    subjects.raw("r"),
    subjects.emit(),
  ])
    assert.equal(await may("gateway", "publish", subject), true, subject);
});

test("a worker can't speak as another worker, nor ask what only gateways ask", async () => {
  for (const role of workers) {
    for (const other of workers) {
      if (role === other) continue;
      assert.equal(await may(role, "publish", subjects.alive(other as "chat")), false, `${role} lives as ${other}`);
      assert.equal(
        await may(role, "subscribe", subjects.worker(other as "chat", "w")),
        false,
        `${role} takes ${other}'s batches`,
      );
    }
    assert.equal(await may(role, "publish", subjects.raw("r")), false);
    assert.equal(await may(role, "publish", `${inboxPrefix("gateway")}.x`), false, `${role} answers unasked`);
    assert.equal(await may(role, "publish", subjects.roomFromGateway("r")), false);
  }
  assert.equal(await may("sms", "publish", subjects.room("r")), false);
  assert.equal(await may("sms", "subscribe", subjects.gateways()), false);
});

test("whoever was asked may answer, in several messages, and the asker alone hears it", async () => {
  const asker = connections.get("gateway")!.nc;
  const worker = connections.get("chat")!.nc;
  worker.subscribe(subjects.worker("chat", "answers"), {
    callback: (_error, msg) => {
      for (const part of ["a", "b", "c"]) worker.publish(msg.reply as string, part);
    },
  });
  await worker.flush();
  const heard: string[] = [];
  const inbox = `${inboxPrefix("gateway")}.test`;
  asker.subscribe(inbox, { callback: (_error, msg) => void heard.push(msg.string()) });
  asker.publish(subjects.worker("chat", "answers"), "?", { reply: inbox });
  await waitFor("three answers", () => heard.length === 3);
  assert.deepEqual(heard, ["a", "b", "c"]);
});

test("without a password, or with another's, nobody connects; the error names no password", async () => {
  const options = { url: `nats://gateway:nonsense@${server.url}`, role: "gateway" as const, name: "x", waitMs: 300 };
  await assert.rejects(
    connectBus(options),
    (error: Error) => !error.message.includes("nonsense") && /NATS_USER/.test(error.message),
  );
  await assert.rejects(
    connectBus({ ...options, url: server.url, user: "chat", password: server.passwordOf("gateway") }),
  );
  await assert.rejects(connectBus({ ...options, url: server.url }));
});

test("a whole Parley runs on these permissions, and nothing of it is refused", async (t) => {
  const stack = await startTestStack(t, {
    ...{ gateways: 2, chat: 2, presence: 1, timers: 1, notify: 1, sms: 1 },
    envOf: (service) => ({
      ...{ NATS_URL: server.url, NATS_USER: service, NATS_PASSWORD: server.passwordOf(service as BusRole) },
    }),
  });
  const [ada, bob] = await Promise.all([1, 2].map((gateway) => connectTestClient(`${stack.wsUrl(gateway)}/ws`)));
  const token = await makeToken(["--user", "ada", "--roles", "admin"], stack.tokenSecret);
  await ada!.request("Register", { token });
  await bob!.registerGuest("Bob");
  for (const client of [ada!, bob!]) await client.request("JoinRoom", { room: "r" });
  await ada!.request("SendMessage", { room: "r", clientMessageId: "1", text: "x" });
  await bob!.waitForEvent("message");
  await ada!.request("Typing", { room: "r", typing: true });
  await bob!.waitForEvent("typing");
  await ada!.request("Emit", { room: "r", event: "score", data: 1 });
  await bob!.waitForEvent("score");
  await ada!.request("Emit", { all: true, event: "news", data: 1 });
  await bob!.waitForEvent("news");
  await waitFor("both to be seen", async () => {
    const { total } = await bob!.request<{ total: number }>("ActiveUsers");
    return total === 2;
  });
  await ada!.request("StartTimer", { room: "r", duration: 1 });
  await bob!.waitForEvent("timer.finished");
  await ada!.request("LeaveRoom", { room: "r" });
  await bob!.request("SendMessage", { room: "r", clientMessageId: "2", text: "y" });
  await ada!.waitForEvent("unread");
  const refusals = stack.lines().filter((line) => /permissions violation/i.test(line));
  assert.deepEqual(refusals, []);
  await Promise.all([ada!.close(), bob!.close()]);
});

test("NATS with TLS: by its authority's file, and not without", async (t) => {
  const openssl = findOnPath("openssl");
  if (openssl === null) return t.skip("no openssl on the PATH to make certificates with");
  const dir = tempDir(t);
  const file = (name: string) => join(dir, name);
  const run = (...args: string[]) => assert.equal(spawnSync(openssl, args, { cwd: dir }).status, 0, args.join(" "));
  const subject = (name: string) => ["-subj", `/CN=${name}`, "-days", "2", "-newkey", "rsa:2048", "-nodes"];
  run("req", "-x509", ...subject("authority"), "-keyout", "ca.key", "-out", "ca.pem");
  run(
    ...["req", "-x509", ...subject("127.0.0.1"), "-keyout", "server.key", "-out", "server.pem"],
    ...["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost"],
  );
  const secured = await startSecuredNats(
    t,
    `tls { cert_file: "${file("server.pem")}", key_file: "${file("server.key")}" }`,
  );
  const options = {
    ...{ url: `tls://${secured.url.replace("127.0.0.1", "localhost")}`, role: "chat" as const, name: "x", waitMs: 300 },
    ...{ user: "chat", password: secured.passwordOf("chat") },
  };
  const bus = await connectBus({ ...options, tls: { caFile: file("ca.pem") } });
  await bus.nc.flush();
  await bus.close();
  await assert.rejects(connectBus(options));
  await assert.rejects(connectBus({ ...options, tls: { caFile: file("nothing.pem") } }), /nothing\.pem/);
});

test("the configuration names each role once, and whatever stands for its password", () => {
  const config = natsAuthorization((role) => `$NATS_PASSWORD_${role.toUpperCase()}`);
  for (const role of busRoles) assert.equal(config.split(`user = "${role}"`).length, 2);
  assert.match(config, /password = \$NATS_PASSWORD_GATEWAY/);
});
