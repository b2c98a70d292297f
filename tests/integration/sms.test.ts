import assert from "node:assert/strict";
import { after, test } from "node:test";
import { signBody } from "@parley/service-kit";
import { number, secret, startSmsStack, timesTaken } from "../support/sms-stack.ts";
import { waitFor } from "../support/wait-for.ts";

const { api, provider, stack } = await startSmsStack({ after });
const text = "Your account was debited 20.00";

test("[N1] an SMS is accepted with 202, signed, sent once, and its receipt makes it delivered", async () => {
  const { status, body } = await api.send({ to: number(1), text, kind: "transactional" });
  assert.equal(status, 202);
  assert.equal(body.status, "queued");
  await waitFor("it to be sent", async () => (await api.statusOf(body.id)).status === "sent");
  assert.deepEqual(
    provider.calls.map(({ id, to, text }) => ({ id, to, text })),
    [{ id: body.id, to: number(1), text }],
  );
  const receipt = JSON.stringify({ id: body.id, status: "delivered" });
  const path = "/v1/callbacks/webhook";
  const forged = await api.call("sms", "POST", path, receipt, {
    authorization: "",
    "parley-signature": signBody("another secret, also long", receipt),
  });
  assert.equal(forged.status, 403);
  assert.match(forged.body.error ?? "", /not this body's signature/);
  assert.equal((await api.statusOf(body.id)).status, "sent");
  const old = await api.call("sms", "POST", path, receipt, {
    "parley-signature": signBody(secret, receipt, Date.now() - 10 * 60_000),
  });
  assert.equal(old.status, 403, "a signature does not last");
  const signed = await api.call("sms", "POST", path, receipt, {
    authorization: "",
    "parley-signature": signBody(secret, receipt),
  });
  assert.equal(signed.status, 204);
  assert.equal((await api.statusOf(body.id)).status, "delivered");
});

test("[N1] a repeated Idempotency-Key is the first SMS; with another body it is refused", async () => {
  const sms = { to: number(2), text, kind: "transactional" };
  const first = await api.send(sms, "transfer-7");
  const again = await Promise.all(Array.from({ length: 10 }, () => api.send(sms, "transfer-7")));
  for (const { status, body } of again) {
    assert.equal(status, 202);
    assert.deepEqual([body.id, body.duplicate], [first.body.id, true]);
  }
  const other = await api.send({ ...sms, text: "credited" }, "transfer-7");
  assert.equal(other.status, 409);
  assert.equal(other.body.code, "conflict");
  assert.match(other.body.error ?? "", /Idempotency-Key was used for another SMS/);
  await waitFor("it to be sent", async () => (await api.statusOf(first.body.id)).status === "sent");
  assert.equal(timesTaken(provider.taken, first.body.id), 1);
});

test("bad requests get an error that says what is wrong, and nothing is stored", async () => {
  const cases: [what: string, body: unknown, status: number, says: RegExp][] = [
    ["no number", { to: "hello", text, kind: "bulk" }, 400, /to must be a phone number in E\.164/],
    ["a local number", { to: "0202 555 0123", text, kind: "bulk" }, 400, /E\.164/],
    ["spaces", { to: "+1 202 555 0123", text, kind: "bulk" }, 400, /no spaces/],
    ["a number that no country has", { to: "+999123456789", text, kind: "bulk" }, 400, /E\.164/],
    ["a blocked country", { to: "+8501921234567", text, kind: "bulk" }, 403, /SMS to KP are blocked/],
    ["an empty text", { to: number(3), text: "", kind: "bulk" }, 400, /text must not be empty/],
    ["a blank text", { to: number(3), text: " \n ", kind: "bulk" }, 400, /text must not be empty/],
    [
      "2,000 segments",
      { to: number(3), text: "x".repeat(153 * 2_000), kind: "bulk" },
      413,
      /2000 segments .GSM-7.; 10/,
    ],
    ["an unknown kind", { to: number(3), text, kind: "urgent" }, 400, /kind/],
    ["an unknown field", { to: number(3), text, kind: "bulk", priority: 1 }, 400, /additional properties/i],
    ["half a surrogate", { to: number(3), text: "\ud800", kind: "bulk" }, 400, /surrogate/],
  ];
  for (const [what, body, status, says] of cases) {
    const answer = await api.send(body);
    assert.equal(answer.status, status, `${what}: ${JSON.stringify(answer.body)}`);
    assert.match(answer.body.error ?? "", says, what);
  }
  const key = await api.send({ to: number(3), text, kind: "bulk" }, "with space");
  assert.equal(key.status, 400);
  assert.match(key.body.error ?? "", /Idempotency-Key must have/);
  const stranger = await api.call("notify", "POST", "/v1/sms", "{}", { authorization: "Bearer wrong" });
  assert.equal(stranger.status, 401);
});

test("[N1] a provider that refuses for now is asked again, later and later; then it is a dead letter, and replayed", async () => {
  provider.behave(() => 503);
  const { body } = await api.send({ to: number(4), text, kind: "transactional" });
  await waitFor("it to fail", async () => (await api.statusOf(body.id)).status === "failed", { timeoutMs: 30_000 });
  const { attempts, error } = await api.statusOf(body.id);
  assert.equal(attempts, 6);
  assert.match(error ?? "", /answered 503/);
  const times = provider.calls.filter(({ id }) => id === body.id).map(({ atMs }) => atMs);
  assert.equal(times.length, 6);
  // Between half and all of 100, 200, 400, … ms; a slow machine adds, and never takes away.
  for (let i = 1; i < times.length; i++) {
    const waitedMs = (times[i] as number) - (times[i - 1] as number);
    assert.ok(waitedMs >= 50 * 2 ** (i - 1) - 5, `retry ${i} after ${waitedMs} ms`);
  }
  const letters = (await api.get("/v1/sms?status=failed")).body.sms as { id: string }[];
  assert.ok(letters.some(({ id }) => id === body.id));
  assert.ok(!JSON.stringify(letters).includes(text), "dead letters show no text");

  provider.behave(() => "accept");
  const replayed = await api.call("sms", "POST", `/v1/sms/${body.id}/replay`);
  assert.equal(replayed.status, 202);
  await waitFor("it to be sent", async () => (await api.statusOf(body.id)).status === "sent");
  assert.equal(timesTaken(provider.taken, body.id), 1);
  const again = await api.call("sms", "POST", `/v1/sms/${body.id}/replay`);
  assert.equal(again.status, 409);
});

test("[N1] a number the provider refuses for good is tried once", async () => {
  provider.behave(() => 422);
  const { body } = await api.send({ to: number(5), text, kind: "transactional" });
  await waitFor("it to fail", async () => (await api.statusOf(body.id)).status === "failed");
  assert.equal((await api.statusOf(body.id)).attempts, 1);
  provider.behave(() => "accept");
});

test("[N1] no answer means unknown, never a second SMS, until a receipt settles it", async () => {
  provider.behave(() => "accept silently");
  const { body } = await api.send({ to: number(6), text, kind: "transactional" });
  await waitFor("it to be unknown", async () => (await api.statusOf(body.id)).status === "unknown");
  provider.behave(() => "accept");
  const receipt = JSON.stringify({ id: body.id, status: "sent" });
  const { status } = await api.call("sms", "POST", "/v1/callbacks/webhook", receipt, {
    "parley-signature": signBody(secret, receipt),
  });
  assert.equal(status, 204);
  assert.equal((await api.statusOf(body.id)).status, "sent");
  assert.equal(timesTaken(provider.taken, body.id), 1);
});

test("STOP from a number ends all SMS to it, also those accepted before; START allows them again", async () => {
  const say = async (text: string) => {
    const body = JSON.stringify({ from: number(7), text });
    await api.call("sms", "POST", "/v1/callbacks/webhook", body, { "parley-signature": signBody(secret, body) });
  };
  provider.behave(() => 503);
  const before = await api.send({ to: number(7), text, kind: "bulk" });
  await waitFor("an attempt", () => provider.calls.some(({ id }) => id === before.body.id));
  await say(" Stop. ");
  provider.behave(() => "accept");
  await waitFor("it to fail", async () => (await api.statusOf(before.body.id)).status === "failed");
  assert.equal(timesTaken(provider.taken, before.body.id), 0);
  const after = await api.send({ to: number(7), text, kind: "bulk" });
  assert.equal(after.status, 403);
  assert.match(after.body.error ?? "", /opted out/);
  await say("START");
  assert.equal((await api.send({ to: number(7), text, kind: "bulk" })).status, 202);
});

test("[N2] a bulk campaign whose provider calls hang does not hold up a transactional SMS; the queues' figures say so", async () => {
  provider.behave(({ text }) => (text === "campaign" ? "hang" : "accept"));
  await Promise.all(
    Array.from({ length: 300 }, (_, n) => api.send({ to: number(100 + n), text: "campaign", kind: "bulk" })),
  );
  await waitFor(
    "the bulk lane to be full",
    () => provider.calls.filter(({ text }) => text === "campaign").length >= 20,
  );
  const { body } = await api.send({ to: number(8), text, kind: "transactional" });
  await waitFor("it to be sent", async () => (await api.statusOf(body.id)).status === "sent");
  const port = stack.row("sms", 1).ports.metrics;
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const value = (line: string) =>
    Number(
      metrics
        .split("\n")
        .find((each) => each.startsWith(line))
        ?.split(" ")
        .at(-1),
    );
  assert.ok(value('parley_sms_queue_jobs{lane="bulk",state="waiting"') > 0, metrics);
  assert.ok(value('parley_sms_queue_oldest_seconds{lane="bulk"') >= 0);
  assert.ok(value('parley_sms_attempts_total{provider="webhook",lane="transactional",outcome="accepted"') > 0);
  assert.ok(value('parley_sms_records{status="queued"') > 0);
  provider.behave(() => "accept");
});

test("the queues are a page on the internal API, for those with the token", async () => {
  const url = `${stack.internalUrl("sms", 1)}/queues`;
  const stranger = await fetch(url);
  assert.equal(stranger.status, 401);
  assert.match(stranger.headers.get("www-authenticate") ?? "", /Basic/);
  const basic = Buffer.from(`me:${stack.serviceToken}`).toString("base64");
  const page = await fetch(url, { headers: { authorization: `Basic ${basic}` } });
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<html/i);
  const queues = await fetch(`${url}/api/queues`, { headers: { authorization: `Basic ${basic}` } });
  const names = ((await queues.json()) as { queues: { name: string }[] }).queues.map(({ name }) => name);
  assert.deepEqual(names.sort(), ["notifications", "sms-bulk", "sms-transactional"]);
});
