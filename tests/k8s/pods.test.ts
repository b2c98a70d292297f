/** What a pod is told and how it ends: its settings are the service's own, its probes ask the right door, its time is enough. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { readSettings } from "@parley/service-kit";
import { environmentOf } from "./pod-environment.ts";
import { cannotRender, k8sDir, parseManifests, renderOverlay, workloadsOf } from "./rendered.ts";

const repository = resolve(import.meta.dirname, "../..");

for (const overlay of ["dev", "production"]) {
  describe(`k8s/overlays/${overlay}`, { skip: cannotRender }, () => {
    const manifests = cannotRender ? [] : renderOverlay(`overlays/${overlay}`);
    if (overlay === "production")
      manifests.push(
        ...parseManifests(readFileSync(resolve(k8sDir, "overlays/production/secrets.example.yaml"), "utf8")),
      );
    // Those whose settings are on disk; manifests.test.ts sees that none is missing.
    const ours = workloadsOf(manifests)
      .filter(({ kind }) => kind === "Deployment")
      .map((workload) => {
        const { name } = workload.metadata;
        const container = workload.pod.containers[0];
        assert.ok(container);
        const settingsFile = resolve(repository, "services", name, "src/config.ts");
        const environment = environmentOf(container, manifests, { "metadata.name": `${name}-0` });
        return { name, workload, container, environment, settingsFile };
      })
      .filter(({ settingsFile }) => existsSync(settingsFile));

    test("each service takes its settings as its pod gives them, and knows every one", async () => {
      for (const { name, container, environment, settingsFile } of ours) {
        const exported = Object.values(await import(settingsFile));
        const schema = exported.find((each) => (each as { type?: string }).type === "object") as Parameters<
          typeof readSettings
        >[0];
        assert.ok(schema, `${settingsFile} exports its settings`);
        readSettings(schema, environment);
        for (const { name: setting } of container.env ?? [])
          assert.ok(setting in schema.properties, `${name} has no setting ${setting}`);
      }
    });

    test("settings that all share are settings of somebody", async () => {
      const page = readFileSync(resolve(repository, "docs/settings.md"), "utf8");
      const [shared] = manifests.filter(({ metadata }) => metadata.name.startsWith("parley-settings"));
      for (const setting of Object.keys(shared?.data ?? {})) assert.ok(page.includes(`\`${setting}\``), setting);
    });

    test("ports are the ones that the settings say", () => {
      for (const { name, container, environment } of ours) {
        const port = (kind: string) => container.ports?.find((each) => each.name === kind)?.containerPort;
        assert.equal(String(port("internal")), environment.INTERNAL_PORT, name);
        assert.equal(String(port("metrics")), environment.METRICS_PORT, name);
        assert.equal(environment.INTERNAL_HOST, "0.0.0.0", `${name}: probes and Prometheus come from outside the pod`);
        if (port("public") !== undefined) assert.equal(String(port("public")), environment.PORT, name);
      }
    });

    test("alive and ready are asked apart, and death is slower than unreadiness", () => {
      for (const { name, container } of ours) {
        const { startupProbe, livenessProbe, readinessProbe } = container;
        assert.equal(startupProbe?.httpGet?.path, "/healthz", name);
        assert.equal(livenessProbe?.httpGet?.path, "/healthz", name);
        assert.equal(readinessProbe?.httpGet?.path, "/readyz", name);
        const patience = (probe: typeof livenessProbe) => (probe?.periodSeconds ?? 10) * (probe?.failureThreshold ?? 3);
        assert.ok(patience(readinessProbe) <= 5, `${name} is out of its service within 5 s`);
        assert.ok(patience(livenessProbe) >= 60, `${name} is killed only after a minute without an answer`);
      }
    });

    test("[S6] a pod has the time that its end takes", () => {
      /** Beyond the drain: the last clients' 3 s, NATS' 2 s, and room. */
      const closingSeconds = 10;
      for (const { name, workload, container, environment } of ours) {
        const preStop = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
        const draining = name === "gateway" ? Number(environment.DRAIN_MS) / 1_000 : 0;
        const grace = workload.pod.terminationGracePeriodSeconds ?? 30;
        assert.ok(
          preStop + draining + closingSeconds <= grace,
          `${name}: ${preStop} + ${draining} + ${closingSeconds}`,
        );
        // A pod goes only when another is ready: nobody's capacity shrinks while a version rolls out.
        assert.deepEqual(workload.spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
      }
    });
  });
}
