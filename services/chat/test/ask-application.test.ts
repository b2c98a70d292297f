import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { Refusal } from "@parley/protocol";
import { isSignedBy, signatureHeader } from "@parley/service-kit";
import { createAskApplication } from "../src/ask-application.ts";

const secret = "the secret that both sides know";

async function application(
  t: TestContext,
  answer: (body: string, response: ServerResponse, request: IncomingMessage) => void,
) {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    bodies.push(body);
    answer(body, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const clock = { nowMs: 1_000 };
  const errors: unknown[] = [];
  const ask = createAskApplication({
    ...{
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/may`,
      secret,
      timeoutMs: 300,
      keepMs: 10_000,
    },
    onError: (error) => void errors.push(error),
    now: () => clock.nowMs,
  });
  const codeOf = async (...what: Parameters<typeof ask>) => {
    try {
      await ask(...what);
      return "ok";
    } catch (error) {
      return (error as Refusal).code;
    }
  };
  return { ask, codeOf, bodies, clock, errors };
}

test("a signed question, whose answer is kept for its time: yes at once, no as forbidden", async (t) => {
  let signed = true;
  const { ask, codeOf, bodies, clock } = await application(t, (body, response, request) => {
    signed &&= isSignedBy(secret, body, request.headers[signatureHeader] as string);
    response.end(JSON.stringify({ allow: JSON.parse(body).user === "ada" }));
  });
  assert.deepEqual(await Promise.all([codeOf("join", "ada", "r"), codeOf("join", "ada", "r")]), ["ok", "ok"]);
  assert.equal(bodies.length, 1, "shared");
  assert.deepEqual(JSON.parse(bodies[0]!), { action: "join", user: "ada", room: "r" });
  assert.equal(ask("join", "ada", "r"), null);
  assert.equal(await codeOf("send", "ada", "r"), "ok");
  assert.equal(await codeOf("send", "eve", "r"), "forbidden");
  assert.equal(await codeOf("send", "eve", "r"), "forbidden");
  assert.equal(bodies.length, 3);
  clock.nowMs += 10_001;
  assert.equal(await codeOf("send", "eve", "r"), "forbidden");
  assert.equal(bodies.length, 4);
  assert.ok(signed);
});

test("no answer, a late one, another status or another shape lets nobody through, and is asked again", async (t) => {
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => response.destroy(),
    () => {},
    (response) => response.writeHead(500).end('{"allow":true}'),
    (response) => response.writeHead(302, { location: "/" }).end(),
    (response) => response.end("yes"),
    (response) => response.end('{"allow":"true"}'),
    (response) => response.end("null"),
  ];
  const count = answers.length;
  const { codeOf, errors } = await application(t, (_body, response) => {
    const next = answers.shift();
    if (next) next(response);
    else response.end('{"allow":true}');
  });
  for (let i = 0; i < count; i++) assert.equal(await codeOf("send", "ada", "r"), "unavailable", `answer ${i}`);
  assert.equal(errors.length, count);
  assert.equal(await codeOf("send", "ada", "r"), "ok");
});
