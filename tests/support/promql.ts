import { parser } from "@prometheus-io/lezer-promql";

export interface Selector {
  metric: string;
  /** Names of the labels it looks at, in braces. */
  labels: string[];
}

export interface Query {
  selectors: Selector[];
  /** Labels that `by` groups by. */
  groupedBy: string[];
}

/** Reads a query with Prometheus' own grammar. Throws where it is none. Grafana's variables are filled in first. */
export function readPromql(text: string): Query {
  const query = text.replaceAll("$__rate_interval", "5m").replaceAll("$namespace", "parley");
  const tree = parser.parse(query);
  const found: Query = { selectors: [], groupedBy: [] };
  tree.iterate({
    enter({ type, from, to, node }) {
      const said = query.slice(from, to);
      if (type.isError)
        throw new Error(`${text}: not PromQL at ${from}: ${query.slice(Math.max(0, from - 20), to + 20)}`);
      if (type.name === "VectorSelector") found.selectors.push({ metric: "", labels: [] });
      const selector = found.selectors.at(-1);
      if (type.name === "Identifier" && node.parent?.type.name === "VectorSelector" && selector) selector.metric = said;
      if (type.name === "LabelName" && node.parent?.type.name === "GroupingLabels") found.groupedBy.push(said);
      else if (type.name === "LabelName" && selector) selector.labels.push(said);
    },
  });
  if (found.selectors.length === 0) throw new Error(`${text}: names no metric`);
  return found;
}
