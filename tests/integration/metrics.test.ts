import assert from "node:assert/strict";
import test from "node:test";
import { type Family, parsePrometheusText } from "../support/prometheus-text.ts";
import { startTestStack } from "../support/start-stack.ts";
import { connectTestClient } from "../support/websocket-client.ts";

test("every service tells Prometheus what it did, in its text format", async (t) => {
  const stack = await startTestStack(t, { gateways: 1, chat: 1 });
  const client = await connectTestClient(`${stack.wsUrl()}/ws`);
  t.after(() => client.close());
  await client.send("Register", { guest: true, name: "Ada" });
  await client.send("JoinRoom", { room: "figures" });
  const sending = { room: "figures", clientMessageId: "a", text: "hi" };
  await client.send("SendMessage", sending);
  await client.send("SendMessage", sending);
  await client.send("SendMessage", { room: "figures" });

  const scraped = new Map<string, Map<string, Family>>();
  for (const { service, ports } of stack.rows()) {
    if (ports.metrics === undefined) continue;
    const answer = await fetch(`http://127.0.0.1:${ports.metrics}/metrics`);
    scraped.set(service, parsePrometheusText(await answer.text()));
  }
  const of = (service: string, metric: string, labels: Record<string, string> = {}) =>
    scraped
      .get(service)
      ?.get(metric)
      ?.samples.filter((sample) => Object.entries(labels).every(([name, value]) => sample.labels[name] === value))
      .reduce((sum, { value }) => sum + value, 0);

  for (const [service, families] of scraped) {
    for (const { name, type, samples } of families.values()) {
      assert.match(name, type === "counter" ? /_total$/ : type === "histogram" ? /_seconds$/ : /(?<!_total)$/);
      for (const { labels } of samples) assert.equal(labels.service, service, name);
    }
    assert.ok(Number(of(service, "process_resident_memory_bytes")) > 1e7, service);
  }
  assert.equal(of("gateway", "parley_gateway_connections", { transport: "websocket" }), 1);
  assert.equal(of("gateway", "parley_gateway_events_total", { event: "SendMessage" }), 2);
  assert.equal(of("gateway", "parley_gateway_refusals_total", { code: "bad_request" }), 1);
  assert.ok(Number(of("gateway", "parley_gateway_deliveries_total")) >= 1);
  assert.equal(of("chat", "parley_chat_entries_total"), 1);
  assert.equal(of("chat", "parley_chat_repeats_total"), 1);
  assert.equal(of("chat", "parley_chat_append_conflicts_total"), 0);
  assert.ok(Number(of("chat", "parley_worker_requests_total", { outcome: "ok" })) >= 4);
});
