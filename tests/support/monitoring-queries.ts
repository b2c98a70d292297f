import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { alerts, dashboards } from "@parley/manifests";
import { parse } from "yaml";

interface Dashboard {
  panels: { title: string; targets?: { expr: string }[] }[];
}

/** Every query of ours that Prometheus is asked: of dashboards, alerts, and for autoscaling. */
export function monitoringQueries(): { where: string; expr: string }[] {
  const ofDashboards = Object.entries(dashboards).flatMap(([name, board]) =>
    (board as Dashboard).panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `dashboard ${name}: ${title}`, expr })),
    ),
  );
  const ofAlerts = alerts.map(({ name, expr }) => ({ where: `alert ${name}`, expr }));
  const file = resolve(import.meta.dirname, "../../k8s/components/monitoring/adapter-rules.yaml");
  const { rules } = parse(readFileSync(file, "utf8")) as { rules: Record<string, { seriesQuery: string }[]> };
  const ofAdapter = Object.values(rules)
    .flat()
    .map(({ seriesQuery }) => ({ where: "prometheus-adapter", expr: seriesQuery }));
  return [...ofDashboards, ...ofAlerts, ...ofAdapter];
}
