/** Prometheus can read every query, and whoever is woken finds what to do. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { alerts } from "@parley/manifests";
import { parse } from "yaml";
import { monitoringQueries } from "../support/monitoring-queries.ts";
import { readPromql } from "../support/promql.ts";

const repository = resolve(import.meta.dirname, "../..");

test("every query of a dashboard or alert is PromQL", () => {
  for (const { where, expr } of monitoringQueries()) assert.doesNotThrow(() => readPromql(expr), where);
  assert.throws(() => readPromql("sum by (pod (parley_gateway_connections)"), /not PromQL/);
});

test("every alert has its section in docs/operations.md, and no section is left over", () => {
  const page = readFileSync(resolve(repository, "docs/operations.md"), "utf8");
  const sections = [...page.matchAll(/^### (Parley\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    sections,
    alerts.map(({ name }) => name),
  );
});

test("what autoscaling reads, prometheus-adapter is told to give", () => {
  const file = (path: string) => readFileSync(resolve(repository, "k8s/components", path), "utf8");
  const { rules } = parse(file("monitoring/adapter-rules.yaml")) as {
    rules: Record<string, { seriesQuery: string; name?: { as: string } }[]>;
  };
  const given = Object.values(rules)
    .flat()
    .map(({ seriesQuery, name }) => name?.as ?? seriesQuery.split("{")[0]);
  const wanted = [...file("scaling/autoscaling.yaml").matchAll(/metric: \{ name: (\w+) \}/g)].map(([, name]) => name);
  assert.ok(wanted.length >= 4);
  assert.deepEqual([...given].sort(), [...new Set(wanted)].sort());
});
