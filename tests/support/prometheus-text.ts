/** Reads Prometheus' text format as strictly as its documentation says, so that what we serve is known to be read. */

export interface Family {
  name: string;
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const nameForm = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const suffixes: Record<string, RegExp> = { histogram: /^_(bucket|sum|count)$/, counter: /^$/, gauge: /^$/ };

/** Throws with the line at fault. */
export function parsePrometheusText(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line must end");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let family: Family | null = null;
  for (const line of text.split("\n")) {
    const fault = (why: string) => new Error(`${why}: ${line}`);
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, what, name, rest] = comment as unknown as [string, string, string, string];
      if (what === "HELP") {
        if (families.has(name)) throw fault("a metric told twice");
        family = { name, help: rest, type: "", samples: [] };
        families.set(name, family);
      } else if (family?.name !== name || !(rest in suffixes)) throw fault("a TYPE out of place or unknown");
      else family.type = rest;
      continue;
    }
    const sample = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!sample || !family?.type) throw fault("not a sample, or one before its TYPE");
    const [, name, labelText, number] = sample as unknown as [string, string, string | undefined, string];
    if (!nameForm.test(name)) throw fault("not a metric's name");
    if (!name.startsWith(family.name) || !suffixes[family.type]?.test(name.slice(family.name.length)))
      throw fault(`not of ${family.name}`);
    const value = number === "+Inf" ? Infinity : number === "Nan" || number === "NaN" ? Number.NaN : Number(number);
    if (Number.isNaN(value)) throw fault("not a number");
    if (seen.has(line.slice(0, line.lastIndexOf(" ")))) throw fault("a sample told twice");
    seen.add(line.slice(0, line.lastIndexOf(" ")));
    family.samples.push({ name, labels: parseLabels(labelText ?? "", fault), value });
  }
  for (const each of families.values()) if (each.type === "histogram") checkBuckets(each);
  return families;
}

function parseLabels(text: string, fault: (why: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const one = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest);
    if (!one) throw fault("labels that can't be read");
    if ((one[1] as string) in labels) throw fault("a label told twice");
    labels[one[1] as string] = (one[2] as string).replace(/\\(["\\n])/g, (_, c: string) => (c === "n" ? "\n" : c));
    rest = rest.slice(one[0].length);
  }
  return labels;
}

/** Buckets never fall, and the last holds all. */
function checkBuckets(family: Family): void {
  const series = new Map<string, { buckets: number[]; inf: number | null; count: number | null }>();
  for (const { name, labels, value } of family.samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(Object.entries(others).sort());
    const one = series.get(key) ?? { buckets: [], inf: null, count: null };
    series.set(key, one);
    if (name.endsWith("_bucket")) {
      one.buckets.push(value);
      if (le === "+Inf") one.inf = value;
    } else if (name.endsWith("_count")) one.count = value;
  }
  for (const [key, { buckets, inf, count }] of series) {
    if (inf === null || inf !== count) throw new Error(`${family.name}${key}: the last bucket must hold all`);
    if (buckets.some((value, i) => value < (buckets[i - 1] ?? 0)))
      throw new Error(`${family.name}${key}: buckets fall`);
  }
}
