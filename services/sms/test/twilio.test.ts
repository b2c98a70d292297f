import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import twilio from "twilio";
import { createTwilio, twilioCallbackPath } from "../src/providers/twilio.ts";

const authToken = "twilio's token of this account";
const publicUrl = "https://sms.example.com";

/** Twilio's API as far as it is used here: answers what `answer` says. */
async function startApi(t: TestContext, answer: (request: IncomingMessage, body: string) => [number, unknown] | null) {
  const asked: { method: string; path: string; params: Record<string, string> }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    asked.push({
      ...{ method: request.method ?? "", path: request.url ?? "" },
      params: Object.fromEntries(new URLSearchParams(body)),
    });
    const said = answer(request, body);
    if (said) response.writeHead(said[0], { "content-type": "application/json" }).end(JSON.stringify(said[1]));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const twilioAt = (apiUrl: string) =>
  createTwilio({
    accountSid: "AC00000000000000000000000000000000",
    authToken,
    from: "+12025550100",
    publicUrl,
    apiUrl,
    timeoutMs: 500,
  });
const sms = { id: "abc", to: "+12025550123", text: "debited" };
const signal = AbortSignal.timeout(60_000);

test("Twilio gets number, text and where to send receipts; its sid is kept", async (t) => {
  const { url, asked } = await startApi(t, () => [201, { sid: "SM1" }]);
  assert.deepEqual(await twilioAt(url).send(sms, signal), { kind: "accepted", providerId: "SM1" });
  assert.equal(asked.length, 1);
  assert.match(asked[0]?.path ?? "", /Accounts\/AC0+\/Messages\.json$/);
  assert.deepEqual(asked[0]?.params, {
    ...{ To: sms.to, Body: sms.text, From: "+12025550100" },
    StatusCallback: `${publicUrl}${twilioCallbackPath}?id=abc`,
  });
});

test("[N1] what Twilio's answers mean: refused only where it surely has not got it", async (t) => {
  let answer: [number, unknown] | null = null;
  const { url } = await startApi(t, () => answer);
  const provider = twilioAt(url);
  const outcomes: Record<string, unknown> = {};
  for (const status of [400, 429, 503, 500]) {
    answer = [status, { code: 21610, message: "no" }];
    const outcome = await provider.send(sms, signal);
    outcomes[status] = outcome.kind === "refused" ? { refused: outcome.final } : outcome.kind;
  }
  assert.deepEqual(outcomes, {
    400: { refused: true },
    429: { refused: false },
    503: { refused: false },
    500: "uncertain",
  });
  answer = null;
  assert.equal((await provider.send(sms, signal)).kind, "uncertain", "no answer in time");
  const gone = await twilioAt("http://127.0.0.1:1").send(sms, signal);
  assert.ok(gone.kind === "refused" && !gone.final, "nobody there");
});

test("[N1] an unknown outcome is looked up in Twilio's list", async (t) => {
  const { url } = await startApi(t, () => [
    200,
    {
      messages: [
        { sid: "SM0", body: "other" },
        { sid: "SM7", body: "debited" },
      ],
    },
  ]);
  const found = await twilioAt(url).lookUp?.({ ...sms, sinceMs: Date.now() }, signal);
  assert.deepEqual(found, { kind: "accepted", providerId: "SM7" });
  const absent = await twilioAt(url).lookUp?.({ ...sms, text: "never sent", sinceMs: Date.now() }, signal);
  assert.equal(absent, null);
});

test("Twilio's callbacks: a receipt, an incoming SMS, and a forged one that is refused", () => {
  const provider = twilioAt("http://127.0.0.1:1");
  const read = (path: string, params: Record<string, string>, token = authToken) => {
    const signature = twilio.getExpectedTwilioSignature(token, publicUrl + path, params);
    return provider.readCallback?.({
      path,
      body: new URLSearchParams(params).toString(),
      header: (name) => (name === "x-twilio-signature" ? signature : undefined),
    });
  };
  const path = `${twilioCallbackPath}?id=abc`;
  const [receipt] = read(path, { MessageSid: "SM1", MessageStatus: "delivered" }) ?? [];
  assert.deepEqual(receipt, { kind: "receipt", id: "abc", providerId: "SM1", outcome: { kind: "delivered" } });
  const [failed] = read(path, { MessageSid: "SM1", MessageStatus: "undelivered", ErrorCode: "30003" }) ?? [];
  assert.ok(failed?.kind === "receipt" && failed.outcome.kind === "undelivered");
  const [incoming] = read(twilioCallbackPath, { From: "+12025550123", Body: "STOP", MessageSid: "SM2" }) ?? [];
  assert.deepEqual(incoming, { kind: "incoming", from: "+12025550123", text: "STOP" });
  assert.throws(() => read(path, { MessageSid: "SM1", MessageStatus: "delivered" }, "another token"), {
    code: "forbidden",
  });
});
