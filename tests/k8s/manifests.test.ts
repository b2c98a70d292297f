/** What the overlays render to: valid for the API, and right in what its schemas can't say. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import {
  type Container,
  cannotRender,
  k8sDir,
  type Manifest,
  parseManifests,
  renderOverlay,
  selects,
  type Workload,
  workloadsOf,
} from "./rendered.ts";

const repository = resolve(import.meta.dirname, "../..");
const schemaDir = resolve(import.meta.dirname, "schemas");
const services = readdirSync(resolve(repository, "services")).filter((name) =>
  existsSync(resolve(repository, "services", name, "src/config.ts")),
);
/** Kinds that an operator defines; their schemas come with it. */
const foreignKinds = new Set(["ServiceMonitor", "PrometheusRule"]);

const named = (manifests: Manifest[], kind: string) => manifests.filter((manifest) => manifest.kind === kind);
const whole = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;

function checkSchemas(manifests: Manifest[]): void {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  for (const manifest of manifests) {
    if (foreignKinds.has(manifest.kind)) continue;
    const [group, version] = manifest.apiVersion.includes("/") ? manifest.apiVersion.split("/") : ["", "v1"];
    const name = [manifest.kind.toLowerCase(), group?.split(".")[0], version].filter(Boolean).join("-");
    const file = resolve(schemaDir, `${name}.json`);
    assert.ok(existsSync(file), `${whole(manifest)}: a schema ${name}.json is kept for the test`);
    const schema = JSON.parse(readFileSync(file, "utf8"));
    const valid = ajv.getSchema(schema.$id) ?? ajv.compile(schema);
    assert.ok(valid(manifest), `${whole(manifest)}: ${ajv.errorsText(valid.errors)}`);
  }
}

/** The Pod Security Standard `restricted`, and nothing of the API server's in the pod. */
function checkRestricted({ metadata, pod }: Workload): void {
  const context = pod.securityContext ?? {};
  assert.equal(context.runAsNonRoot, true, metadata.name);
  assert.ok(Number(context.runAsUser) > 0, metadata.name);
  assert.deepEqual(context.seccompProfile, { type: "RuntimeDefault" }, metadata.name);
  assert.equal(pod.automountServiceAccountToken, false, `${metadata.name} has no token of the API server's`);
  const forbidden = ["hostNetwork", "hostPID", "hostIPC", "hostUsers"].filter((key) => key in pod);
  assert.deepEqual(forbidden, [], metadata.name);
  for (const volume of pod.volumes ?? [])
    assert.ok(volume.configMap || volume.secret || volume.emptyDir, `${metadata.name}: volume ${volume.name}`);
  for (const { name, securityContext = {} } of [...pod.containers, ...(pod.initContainers ?? [])]) {
    assert.equal(securityContext.allowPrivilegeEscalation, false, name);
    assert.equal(securityContext.readOnlyRootFilesystem, true, name);
    assert.deepEqual(securityContext.capabilities, { drop: ["ALL"] }, name);
  }
}

for (const overlay of ["overlays/dev", "overlays/production"]) {
  describe(`k8s/${overlay}`, { skip: cannotRender }, () => {
    const manifests = cannotRender ? [] : renderOverlay(overlay);
    const workloads = workloadsOf(manifests);
    const examples =
      overlay === "overlays/production"
        ? parseManifests(readFileSync(resolve(k8sDir, "overlays/production/secrets.example.yaml"), "utf8"))
        : [];
    const workload = (name: string) => {
      const found = workloads.find(({ metadata }) => metadata.name === name);
      assert.ok(found, `${name} is rendered`);
      return found;
    };
    const eachContainer = function* (): Generator<[Workload, Container]> {
      for (const each of workloads) for (const container of each.pod.containers) yield [each, container];
    };

    test("each object is one that Kubernetes 1.34 takes", () => checkSchemas(manifests));

    test("a name is given once, and all is in the namespace", () => {
      const names = manifests.map(whole);
      assert.deepEqual([...new Set(names)], names);
      const clusterWide = new Set(["Namespace", "PriorityClass"]);
      for (const manifest of manifests)
        if (!clusterWide.has(manifest.kind)) assert.equal(manifest.metadata.namespace, "parley", whole(manifest));
    });

    test("every service of ours that runs on its own is deployed, and nothing else", () => {
      const deployed = named(manifests, "Deployment").map(({ metadata }) => metadata.name);
      assert.deepEqual(
        services.filter((name) => !deployed.includes(name)),
        [],
      );
    });

    test("every selector selects what it is for, and only that", () => {
      for (const each of workloads) {
        if (each.kind === "Job") continue;
        const chosen = workloads.filter(({ podLabels }) => selects(each.spec.selector, podLabels));
        assert.deepEqual(chosen.map(whole), [whole(each)]);
      }
      for (const service of named(manifests, "Service")) {
        const chosen = workloads.filter(({ podLabels }) => selects({ matchLabels: service.spec.selector }, podLabels));
        assert.equal(chosen.length, 1, `${whole(service)} selects one workload`);
      }
      for (const budget of named(manifests, "PodDisruptionBudget")) {
        const chosen = workloads.filter(({ podLabels }) => selects(budget.spec.selector, podLabels));
        assert.deepEqual(
          chosen.map(({ metadata }) => metadata.name),
          [budget.metadata.name],
        );
      }
      for (const policy of named(manifests, "NetworkPolicy"))
        assert.ok(
          workloads.some(({ podLabels }) => selects(policy.spec.podSelector, podLabels)),
          `${whole(policy)} selects somebody`,
        );
      for (const { pod, podLabels, metadata } of workloads)
        for (const { labelSelector, matchLabelKeys = [] } of pod.topologySpreadConstraints ?? []) {
          assert.ok(selects(labelSelector, podLabels), metadata.name);
          // The last is the deployment's own, added to its pods by Kubernetes.
          for (const key of matchLabelKeys) assert.ok(key in podLabels || key === "pod-template-hash", metadata.name);
        }
      for (const scaler of named(manifests, "HorizontalPodAutoscaler")) {
        const { kind, name } = scaler.spec.scaleTargetRef;
        assert.equal(workload(name).kind, kind);
        assert.equal(workload(name).spec.replicas, undefined, `${name}: its scaler decides how many`);
      }
    });

    test("every port that is named is served", () => {
      const portsOf = (each: Workload) =>
        each.pod.containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name));
      for (const service of named(manifests, "Service")) {
        const target = workloads.find(({ podLabels }) => selects({ matchLabels: service.spec.selector }, podLabels));
        for (const { targetPort } of service.spec.ports)
          assert.ok(target && portsOf(target).includes(targetPort), `${whole(service)}: ${targetPort}`);
      }
      for (const [each, { ports = [], ...container }] of eachContainer())
        for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
          const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
          if (port)
            assert.ok(
              ports.some(({ name }) => name === port),
              `${whole(each)}: a probe of ${port}`,
            );
        }
      for (const ingress of named(manifests, "Ingress"))
        for (const { http } of ingress.spec.rules)
          for (const { backend } of http.paths) {
            const { name, port } = backend.service;
            const service = named(manifests, "Service").find(({ metadata }) => metadata.name === name);
            assert.ok(service?.spec.ports.some((each: { name: string }) => each.name === port.name));
          }
      for (const monitor of named(manifests, "ServiceMonitor")) {
        const scraped = named(manifests, "Service").filter(({ metadata }) =>
          selects(monitor.spec.selector, metadata.labels ?? {}),
        );
        assert.deepEqual(
          scraped.map(({ metadata }) => metadata.name).sort(),
          named(manifests, "Deployment")
            .map(({ metadata }) => metadata.name)
            .sort(),
        );
        for (const { spec } of scraped)
          for (const { port } of monitor.spec.endpoints)
            assert.ok(spec.ports.some(({ name }: { name: string }) => name === port));
      }
    });

    test("every setting, secret, account and class that a pod names exists", () => {
      const has = (kind: string, name: string, key?: string) => {
        const found = [...manifests, ...examples].find((each) => each.kind === kind && each.metadata.name === name);
        assert.ok(found, `${kind} ${name} exists`);
        if (key !== undefined)
          assert.ok(key in { ...found.data, ...found.stringData }, `${kind} ${name} has the key ${key}`);
      };
      for (const [, { env = [], envFrom = [], volumeMounts = [], ...container }] of eachContainer()) {
        for (const { configMapRef, secretRef } of envFrom) {
          if (configMapRef) has("ConfigMap", configMapRef.name);
          if (secretRef) has("Secret", secretRef.name);
        }
        for (const { valueFrom } of env) {
          if (valueFrom?.secretKeyRef) has("Secret", valueFrom.secretKeyRef.name, valueFrom.secretKeyRef.key);
          if (valueFrom?.configMapKeyRef)
            has("ConfigMap", valueFrom.configMapKeyRef.name, valueFrom.configMapKeyRef.key);
        }
        assert.equal(new Set(volumeMounts.map(({ mountPath }) => mountPath)).size, volumeMounts.length, container.name);
      }
      for (const { pod, spec, metadata } of workloads) {
        has("ServiceAccount", pod.serviceAccountName ?? "default");
        if (pod.priorityClassName) has("PriorityClass", pod.priorityClassName);
        const claimed = (spec.volumeClaimTemplates ?? []).map((claim: Manifest) => claim.metadata.name);
        for (const { configMap, secret } of pod.volumes ?? []) {
          if (configMap) has("ConfigMap", configMap.name);
          if (secret) has("Secret", secret.secretName);
        }
        const volumes = [...claimed, ...(pod.volumes ?? []).map(({ name }) => name)];
        for (const { volumeMounts = [] } of pod.containers)
          for (const { name } of volumeMounts) assert.ok(volumes.includes(name), `${metadata.name}: volume ${name}`);
      }
      for (const ingress of named(manifests, "Ingress"))
        for (const { secretName } of ingress.spec.tls ?? []) has("Secret", secretName);
    });

    test("every pod meets the Pod Security Standard `restricted`", () => {
      const [namespace] = named(manifests, "Namespace");
      assert.equal(namespace?.metadata.labels?.["pod-security.kubernetes.io/enforce"], "restricted");
      workloads.forEach(checkRestricted);
      for (const account of named(manifests, "ServiceAccount"))
        assert.equal(account.automountServiceAccountToken, false, whole(account));
    });

    test("every container says what it needs, and can't take all memory", () => {
      for (const [{ metadata }, { resources }] of eachContainer()) {
        assert.ok(resources?.requests?.cpu && resources.requests.memory, metadata.name);
        assert.ok(resources.limits?.memory, metadata.name);
        // A limit of CPU would stop an event loop in the midst of a turn.
        assert.equal(resources.limits.cpu, undefined, metadata.name);
      }
      const priority = (name: string) =>
        named(manifests, "PriorityClass").find(
          ({ metadata }) => metadata.name === workload(name).pod.priorityClassName,
        ) as unknown as { value: number };
      assert.ok(priority("gateway").value > priority("sms").value && priority("chat").value > priority("notify").value);
    });

    test("images are named with a tag that is not `latest`", () => {
      for (const [{ metadata }, { image }] of eachContainer())
        assert.match(image, /^[\w./-]+:(?!latest$)[\w.-]+$/, metadata.name);
    });
  });
}

describe("k8s/load-test", { skip: cannotRender }, () => {
  test("a Job that Kubernetes takes, in a pod that may as little as the others", () => {
    const manifests = renderOverlay("load-test");
    checkSchemas(manifests);
    const [job] = workloadsOf(manifests);
    assert.ok(job);
    checkRestricted(job);
    assert.deepEqual(
      [...job.pod.containers, ...(job.pod.initContainers ?? [])].map(({ image }) => image),
      ["parley/load:dev", "parley/load:dev"],
    );
  });
});
