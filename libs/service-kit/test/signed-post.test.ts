import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { isSignedBy, signatureHeader, signedPost } from "../src/index.ts";

const secret = "the secret that both sides know";
const body = { user: "ada", text: "Grüße" };

/** A server that answers as it is told, and what is posted to it. */
async function receiver(t: TestContext, answer: (response: ServerResponse) => void) {
  const requests: { method: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    requests.push({ method: request.method ?? "", headers: request.headers, body: text });
    answer(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const post = (more: { idempotencyKey?: string; signal?: AbortSignal } = {}) =>
    signedPost({ url, secret, body, signal: new AbortController().signal, ...more });
  return { requests, post };
}

test("a body goes out as JSON, signed, with the key that its repeats have", async (t) => {
  const { requests, post } = await receiver(t, (response) => response.writeHead(202).end('{"id":"7"}'));
  assert.deepEqual(await post({ idempotencyKey: "k1" }), { status: 202, ok: true, text: '{"id":"7"}' });
  const [first] = requests;
  assert.ok(first);
  assert.equal(first.method, "POST");
  assert.equal(first.headers["content-type"], "application/json");
  assert.equal(first.headers["idempotency-key"], "k1");
  assert.deepEqual(JSON.parse(first.body), body);
  assert.ok(isSignedBy(secret, first.body, first.headers[signatureHeader] as string));
  await post();
  assert.equal(requests[1]?.headers["idempotency-key"], undefined);
});

test("a redirect is an answer that is not followed, and a refusal is one too", async (t) => {
  const statuses = [302, 307, 503];
  const { requests, post } = await receiver(t, (response) =>
    response.writeHead(statuses[requests.length - 1] ?? 500, { location: "/elsewhere" }).end("no"),
  );
  for (const status of statuses) assert.deepEqual(await post(), { status, ok: false, text: "no" });
  assert.equal(requests.length, statuses.length);
});

test("an answer without end is read to 10,000 bytes and hung up on", { timeout: 30_000 }, async (t) => {
  let hungUp: Promise<unknown> | undefined;
  const { post } = await receiver(t, (response) => {
    hungUp = once(response, "close");
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(1_000)));
    };
    response.on("drain", more);
    more();
  });
  const { status, text } = await post();
  assert.equal(status, 200);
  assert.equal(text, "x".repeat(10_000));
  await hungUp;
});

test("what broke off says nothing, but its status holds", async (t) => {
  const { post } = await receiver(t, (response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write('{"allow":true}', () => response.destroy());
  });
  assert.deepEqual(await post(), { status: 200, ok: true, text: "" });
});

test("no answer rejects: in time, and where nobody listens", async (t) => {
  const { post } = await receiver(t, () => {});
  await assert.rejects(post({ signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
  const gone = createServer().listen(0, "127.0.0.1");
  await once(gone, "listening");
  const url = `http://127.0.0.1:${(gone.address() as AddressInfo).port}/hook`;
  gone.close();
  await once(gone, "close");
  const refused = signedPost({ url, secret, body, signal: new AbortController().signal });
  await assert.rejects(refused, ({ cause }) => (cause as { code?: string }).code === "ECONNREFUSED");
});
