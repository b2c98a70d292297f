import assert from "node:assert/strict";
import test from "node:test";
import { monitoringQueries } from "../support/monitoring-queries.ts";
import { type Family, parsePrometheusText } from "../support/prometheus-text.ts";
import { readPromql } from "../support/promql.ts";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

/** Of each service, by its name; one instance each. */
async function scrape(stack: TestStack): Promise<Map<string, Map<string, Family>>> {
  const scraped = new Map<string, Map<string, Family>>();
  for (const { service, ports } of stack.rows()) {
    if (ports.metrics === undefined) continue;
    const answer = await fetch(`http://127.0.0.1:${ports.metrics}/metrics`);
    scraped.set(service, parsePrometheusText(await answer.text()));
  }
  return scraped;
}

/** The sum of a metric's samples that have these labels; undefined where there is no such metric. */
const sumOf = (families: Map<string, Family> | undefined, metric: string, labels: Record<string, string> = {}) =>
  families
    ?.get(metric)
    ?.samples.filter((sample) => Object.entries(labels).every(([name, value]) => sample.labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0);

test("every service tells Prometheus what it did; dashboards and alerts ask only for what is told", async (t) => {
  const stack = await startTestStack(t, { gateways: 1, chat: 1, presence: 1, timers: 1, notify: 1, sms: 1 });
  const client = await connectTestClient(`${stack.wsUrl()}/ws`);
  t.after(() => client.close());
  await client.registerGuest("Ada");
  await client.request("JoinRoom", { room: "figures" });
  const sending = { room: "figures", clientMessageId: "a", text: "hi" };
  await client.request("SendMessage", sending);
  await client.request("SendMessage", sending);
  await client.send("SendMessage", { room: "figures" });
  await client.request("StartTimer", { room: "figures", duration: 60 });
  const sms = await fetch(`${stack.internalUrl("notify", 1)}/v1/sms`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" },
    body: JSON.stringify({ to: "+12025550123", text: "debit of 5", kind: "transactional" }),
  });
  assert.equal(sms.status, 202);

  const scraped = await waitFor("the SMS to be sent, and a tick", async () => {
    const now = await scrape(stack);
    const sent = sumOf(now.get("sms"), "parley_sms_attempts_total");
    return sent === 1 && Number(sumOf(now.get("timer"), "parley_timer_ticks_total")) > 0 ? now : null;
  });
  const of = (service: string, metric: string, labels?: Record<string, string>) =>
    sumOf(scraped.get(service), metric, labels);

  assert.deepEqual([...scraped.keys()].sort(), ["chat", "gateway", "notify", "presence", "sms", "timer"]);
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
  assert.equal(of("presence", "parley_presence_users_online"), 1);

  const told = new Map<string, Set<string>>();
  for (const families of scraped.values())
    for (const { samples } of families.values())
      for (const { name, labels } of samples)
        told.set(name, new Set([...(told.get(name) ?? []), ...Object.keys(labels)]));
  // What Prometheus adds to each series that it scrapes.
  const added = ["namespace", "pod", "job", "instance"];
  told.set("up", new Set());
  for (const { where, expr } of monitoringQueries()) {
    const { selectors, groupedBy } = readPromql(expr);
    for (const { metric, labels } of selectors) {
      const known = told.get(metric);
      assert.ok(known, `${where}: nobody tells ${metric}`);
      for (const label of labels)
        assert.ok(known.has(label) || added.includes(label), `${where}: ${metric} has no ${label}`);
    }
    for (const label of groupedBy)
      assert.ok(
        added.includes(label) || selectors.some(({ metric }) => told.get(metric)?.has(label)),
        `${where}: nothing has ${label} to group by`,
      );
  }
});
