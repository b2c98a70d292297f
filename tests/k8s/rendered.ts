/** An overlay as it would reach a cluster. */
import { execFileSync, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { parseAllDocuments } from "yaml";

export interface Container {
  name: string;
  image: string;
  args?: string[];
  ports?: { name: string; containerPort: number }[];
  env?: { name: string; value?: string; valueFrom?: ValueFrom }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  lifecycle?: { preStop?: { sleep?: { seconds: number }; exec?: { command: string[] } } };
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: Record<string, unknown> & { capabilities?: { drop?: string[]; add?: string[] } };
  volumeMounts?: { name: string; mountPath: string }[];
}

interface ValueFrom {
  secretKeyRef?: { name: string; key: string };
  configMapKeyRef?: { name: string; key: string };
  fieldRef?: { fieldPath: string };
}

export interface Probe {
  httpGet?: { path: string; port: string | number };
  tcpSocket?: { port: string | number };
  exec?: { command: string[] };
  periodSeconds?: number;
  failureThreshold?: number;
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  priorityClassName?: string;
  terminationGracePeriodSeconds?: number;
  securityContext?: Record<string, unknown>;
  topologySpreadConstraints?: { labelSelector?: LabelSelector; matchLabelKeys?: string[] }[];
  volumes?: { name: string; configMap?: { name: string }; secret?: { secretName: string }; emptyDir?: object }[];
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** One object; `spec` is as its kind has it, and the schemas say whether it is right. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: checked against the API's schemas before anything else looks at it
  spec?: any;
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  automountServiceAccountToken?: boolean;
}

export interface Workload extends Manifest {
  pod: PodSpec;
  podLabels: Record<string, string>;
}

export const k8sDir = resolve(import.meta.dirname, "../../k8s");

const renderers: [string, string[]][] = [
  ["kubectl", ["kustomize"]],
  ["kustomize", ["build"]],
];
const renderer = renderers.find(([command]) => spawnSync(command, ["version", "--client"]).status === 0);

/** Why nothing can be rendered here; false when it can. */
export const cannotRender: string | false = renderer
  ? false
  : "neither kubectl nor kustomize is on the PATH, so nothing can be rendered";

const parse = (text: string): Manifest[] =>
  parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as Manifest;
  });

/** `name`: the kustomization's folder in k8s/. */
export function renderOverlay(name: string): Manifest[] {
  if (!renderer) throw new Error(String(cannotRender));
  const [command, args] = renderer;
  const text = execFileSync(command, [...args, resolve(k8sDir, name)], { encoding: "utf8" });
  return parse(text);
}

export const parseManifests = parse;

const workloadKinds = new Set(["Deployment", "StatefulSet", "Job"]);

export const workloadsOf = (manifests: Manifest[]): Workload[] =>
  manifests
    .filter(({ kind }) => workloadKinds.has(kind))
    .map((manifest) => ({
      ...manifest,
      pod: manifest.spec.template.spec as PodSpec,
      podLabels: (manifest.spec.template.metadata.labels ?? {}) as Record<string, string>,
    }));

export function selects(selector: LabelSelector | undefined, labels: Record<string, string>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator === "In") return values.includes(labels[key] ?? "");
      if (operator === "NotIn") return !values.includes(labels[key] ?? "");
      if (operator === "Exists") return key in labels;
      if (operator === "DoesNotExist") return !(key in labels);
      throw new Error(`${operator} is no operator of a selector`);
    })
  );
}
