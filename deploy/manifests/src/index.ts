import { stringify } from "yaml";
import { prometheusRule } from "./alerts.ts";
import { dashboards } from "./dashboards.ts";
import { natsUsers } from "./nats-users.ts";

export { type Alert, alerts } from "./alerts.ts";
export { dashboards } from "./dashboards.ts";

const written = "# Written by `npm run manifests` from deploy/manifests/src/alerts.ts; change it there.\n";

/** Files of k8s/ that are made from code: path from the checkout → content. */
export function generatedFiles(): Map<string, string> {
  const files = new Map([
    ["k8s/overlays/production/nats-users.conf", natsUsers()],
    ["k8s/components/monitoring/alerts.yaml", written + stringify(prometheusRule(), { lineWidth: 0 })],
  ]);
  for (const [name, dashboard] of Object.entries(dashboards))
    files.set(`k8s/components/monitoring/dashboards/${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`);
  return files;
}
