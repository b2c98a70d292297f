/** Exactly these connections get through, between every two parties and on every port that anybody has. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Ask, type Party, passes } from "./network.ts";
import { cannotRender, renderOverlay, workloadsOf } from "./rendered.ts";

const usingNats = ["gateway", "chat", "presence", "timer", "notify"];
const usingStore = ["chat", "presence", "timer", "notify", "sms", "migrate"];
const usingRedis = ["presence", "notify", "sms"];
const services = ["gateway", "chat", "presence", "timer", "notify", "sms"];

const outside: Party[] = [
  { name: "dns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" } },
  { name: "ingress controller", namespace: "ingress", labels: { "app.kubernetes.io/name": "ingress-nginx" } },
  { name: "prometheus", namespace: "monitoring", labels: { "app.kubernetes.io/name": "prometheus" } },
  { name: "backend", namespace: "shop", labels: { "parley/calls-internal-api": "true" } },
  { name: "stranger", namespace: "shop", labels: { app: "shop" } },
  { name: "intruder", namespace: "parley", labels: {} },
  { name: "store", ip: "10.20.0.7" },
  { name: "redis-outside", ip: "10.20.1.7" },
  { name: "private-host", ip: "10.99.0.1" },
  { name: "cloud-metadata", ip: "169.254.169.254" },
  { name: "internet", ip: "203.0.113.9" },
];

const numbers = { public: 8080, internal: 9080, metrics: 9180, nats: 4222, routes: 6222, mongodb: 27017, redis: 6379 };
const asks: Record<string, Ask> = {
  dns: { protocol: "UDP", port: 53 },
  "dns/tcp": { protocol: "TCP", port: 53 },
  https: { protocol: "TCP", port: 443 },
  http: { protocol: "TCP", port: 80 },
  ssh: { protocol: "TCP", port: 22 },
  monitor: { protocol: "TCP", port: 8222 },
  ...Object.fromEntries(Object.entries(numbers).map(([name, port]) => [name, { protocol: "TCP" as const, port }])),
};

/** Every flow that must pass: who, to whom, by what. */
const wanted: Record<string, [from: string[], to: string[], what: string][]> = {
  both: [
    [usingNats, ["nats"], "nats"],
    [["nats"], ["nats"], "routes"],
    [["backend"], services, "internal"],
    [["sms"], ["internet"], "https"],
  ],
  dev: [
    [usingStore, ["mongodb"], "mongodb"],
    [["mongodb"], ["mongodb"], "mongodb"],
    // It shows SMS in the page.
    [["sms"], ["nats"], "nats"],
    [usingRedis, ["redis"], "redis"],
  ],
  production: [
    [["ingress controller"], ["gateway"], "public"],
    // The provider's callbacks.
    [["ingress controller"], ["sms"], "internal"],
    [["prometheus"], services, "metrics"],
    [usingStore, ["store"], "mongodb"],
    [usingRedis, ["redis-outside"], "redis"],
  ],
};

for (const overlay of ["dev", "production"] as const) {
  describe(`k8s/overlays/${overlay}`, { skip: cannotRender }, () => {
    test("what may speak to what, and nothing else", () => {
      const manifests = renderOverlay(`overlays/${overlay}`);
      const policies = manifests.filter(({ kind }) => kind === "NetworkPolicy");
      const pods = workloadsOf(manifests).map(({ metadata, pod, podLabels }): Party => {
        const ports = pod.containers.flatMap(({ ports = [] }) => ports.map((port) => [port.name, port.containerPort]));
        return { name: metadata.name, namespace: "parley", labels: podLabels, ports: Object.fromEntries(ports) };
      });
      const everybody = [...pods, ...outside];
      const flows = new Set<string>();
      for (const from of everybody)
        for (const to of everybody) {
          // What others do among themselves is none of ours.
          if (from.namespace !== "parley" && to.namespace !== "parley") continue;
          for (const [what, ask] of Object.entries(asks))
            if (passes(policies, from, to, ask)) flows.add(`${from.name} → ${to.name} ${what}`);
        }
      const expected = new Set<string>();
      for (const [froms, tos, what] of [...(wanted.both ?? []), ...(wanted[overlay] ?? [])])
        for (const from of froms) for (const to of tos) expected.add(`${from} → ${to} ${what}`);
      for (const { name } of [...pods, { name: "intruder" }])
        for (const what of ["dns", "dns/tcp"]) expected.add(`${name} → dns ${what}`);
      assert.deepEqual([...flows].sort(), [...expected].sort());
    });
  });
}
