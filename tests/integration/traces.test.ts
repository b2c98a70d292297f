import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

interface Span {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
}

interface Posted {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Omit<Span, "service">[] }[];
  }[];
}

/** What an OpenTelemetry collector does first: takes spans in, by OTLP over HTTP. */
async function startCollector(t: TestContext) {
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Posted;
    for (const { resource, scopeSpans } of body.resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
      spans.push(...scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service }))));
    }
    response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { spans, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** From a span to the first of its trace, by name. */
function path(spans: Span[], last: Span): string[] {
  const parent = spans.find(({ spanId }) => spanId === last.parentSpanId);
  return [...(parent ? path(spans, parent) : []), `${last.service} ${last.name}`];
}

test("a trace goes from a client's event to the worker, the store and the delivery; another to the SMS provider", async (t) => {
  const collector = await startCollector(t);
  const stack = await startTestStack(t, {
    ...{ gateways: 1, chat: 1, notify: 1, sms: 1 },
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, TRACE_RATIO: "1" },
  });
  const client = await connectTestClient(`${stack.wsUrl()}/ws`);
  await client.registerGuest("Ada");
  await client.request("JoinRoom", { room: "traced" });
  await client.request("SendMessage", { room: "traced", clientMessageId: "1", text: "hi" });
  await client.close();
  const sms = await fetch(`${stack.internalUrl("notify", 1)}/v1/sms`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" },
    body: JSON.stringify({ to: "+12025550123", text: "debit of 5", kind: "transactional" }),
  });
  assert.equal(sms.status, 202);

  const pathOf = (name: string) =>
    waitFor(
      `the span ${name}`,
      () => {
        const found = collector.spans.find((span) => span.name === name);
        // Its parents may be still on their way.
        return found && path(collector.spans, found).length === (wanted[name] as string[]).length
          ? path(collector.spans, found)
          : null;
      },
      { timeoutMs: 20_000 },
    );
  const wanted: Record<string, string[]> = {
    "chat worker: store": ["gateway chat: send", "chat chat worker: send", "chat chat worker: store"],
    "file: send": ["notify POST /v1/sms", "sms sms worker: step", "sms file: send"],
  };
  wanted["gateway: deliver"] = [...(wanted["chat worker: store"] as string[]), "gateway gateway: deliver"];
  for (const [name, spans] of Object.entries(wanted)) assert.deepEqual(await pathOf(name), spans);
  assert.ok(
    collector.spans.every(({ traceId }) => /^[0-9a-f]{32}$/.test(traceId)),
    "ids are as W3C has them",
  );
});

test("a collector that is away is said, and nothing else suffers", async (t) => {
  const stack = await startTestStack(t, {
    ...{ gateways: 1, chat: 1 },
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", TRACE_RATIO: "1" },
  });
  const client = await connectTestClient(`${stack.wsUrl()}/ws`);
  await client.registerGuest("Ada");
  await client.request("SendMessage", { room: "untraced", clientMessageId: "1", text: "hi" });
  await client.close();
  await waitFor("a word about it", () => stack.lines().some((line) => line.includes("traces: ")), {
    timeoutMs: 30_000,
  });
});

test("log levels change without a restart, by signal and by the API", async (t) => {
  const stack = await startTestStack(t, { gateways: 1, chat: 1 });
  const headers = { authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" };
  const url = `${stack.internalUrl("chat", 1)}/v1/log-level`;
  const level = async () => ((await (await fetch(url, { headers })).json()) as { level: string }).level;
  assert.equal(await level(), "info");

  process.kill(stack.row("chat", 1).pid, "SIGUSR2");
  await waitFor("debug", async () => (await level()) === "debug");
  process.kill(stack.row("chat", 1).pid, "SIGUSR2");
  await waitFor("info again", async () => (await level()) === "info");

  const put = (body: object, given = headers) =>
    fetch(url, { method: "PUT", headers: given, body: JSON.stringify(body) });
  assert.equal((await put({ level: "warn" })).status, 200);
  assert.equal(await level(), "warn");
  const wrong = await put({ level: "loud" });
  assert.equal(wrong.status, 400);
  assert.match(((await wrong.json()) as { error: string }).error, /level/);
  assert.equal((await put({ level: "info" }, { ...headers, authorization: "Bearer nobody" })).status, 401);
  assert.equal(stack.restarts("chat", 1), 0);
});
