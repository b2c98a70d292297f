/** The environment a container of the rendered manifests would start with. */
import type { Container, Manifest } from "./rendered.ts";

/** `fields`: what the pod's own fields are (`metadata.name`). Throws where a reference leads nowhere. */
export function environmentOf(
  container: Container,
  manifests: Manifest[],
  fields: Record<string, string>,
): Record<string, string> {
  const referred = (kind: string, { name, key }: { name: string; key: string }): string => {
    const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
    const encoded = kind === "Secret" ? found?.data?.[key] : undefined;
    const value = encoded === undefined ? (found?.stringData ?? found?.data)?.[key] : atob(encoded);
    if (value === undefined) throw new Error(`${container.name}: ${kind} ${name} has no ${key}`);
    return value;
  };
  const environment: Record<string, string> = {};
  for (const { configMapRef } of container.envFrom ?? []) {
    const map = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === configMapRef?.name);
    Object.assign(environment, map?.data);
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (value !== undefined) environment[name] = value;
    else if (valueFrom?.secretKeyRef) environment[name] = referred("Secret", valueFrom.secretKeyRef);
    else if (valueFrom?.configMapKeyRef) environment[name] = referred("ConfigMap", valueFrom.configMapKeyRef);
    else if (valueFrom?.fieldRef) environment[name] = fields[valueFrom.fieldRef.fieldPath] ?? "";
  }
  return environment;
}
