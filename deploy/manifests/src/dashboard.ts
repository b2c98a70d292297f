/** Grafana dashboards put together from what matters: a title, queries, a unit. Layout and the rest follow. */

export type Unit = "short" | "ops" | "s" | "bytes" | "percentunit" | "reqps";

export interface Panel {
  title: string;
  /** PromQL, and how its lines are named: `{{service}}`. */
  queries: readonly (readonly [expr: string, legend: string])[];
  unit: Unit;
  /** What it means, and when to worry. */
  description?: string;
}

export interface Row {
  title: string;
  panels: readonly Panel[];
}

const columns = 24;
const panelHeight = 8;
const datasource = { type: "prometheus", uid: "$datasource" };

/** A dashboard of time series, three a line. Every query may use `$namespace`. */
export function dashboard(uid: string, title: string, rows: readonly Row[]): object {
  const panels: object[] = [];
  let y = 0;
  let id = 1;
  for (const row of rows) {
    panels.push({ id: id++, type: "row", title: row.title, gridPos: { x: 0, y, w: columns, h: 1 }, panels: [] });
    y++;
    const perLine = Math.min(3, row.panels.length);
    row.panels.forEach((panel, i) => {
      const w = columns / perLine;
      const gridPos = { x: (i % perLine) * w, y: y + Math.floor(i / perLine) * panelHeight, w, h: panelHeight };
      panels.push(timeSeries(id++, panel, gridPos));
    });
    y += Math.ceil(row.panels.length / perLine) * panelHeight;
  }
  return {
    uid,
    title,
    tags: ["parley"],
    timezone: "browser",
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus" },
        {
          name: "namespace",
          type: "query",
          datasource,
          query: { query: "label_values(parley_build_info, namespace)", refId: "namespace" },
          refresh: 2,
        },
      ],
    },
    links: [{ type: "dashboards", title: "Parley", tags: ["parley"], asDropdown: true }],
    panels,
  };
}

function timeSeries(id: number, panel: Panel, gridPos: object): object {
  return {
    id,
    type: "timeseries",
    title: panel.title,
    description: panel.description ?? "",
    datasource,
    gridPos,
    fieldConfig: {
      defaults: { unit: panel.unit, min: 0, custom: { fillOpacity: 10, showPoints: "never" } },
      overrides: [],
    },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
    targets: panel.queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode(65 + i),
      datasource,
      expr,
      legendFormat,
    })),
  };
}
