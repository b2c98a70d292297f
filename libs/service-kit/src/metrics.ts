/**
 * What Prometheus reads from a service. Nothing is counted twice: the code that works keeps plain numbers, and `read` looks
 * at them when somebody asks. So a metric costs the hot path what `count++` costs.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Metric, Registry } from "prom-client";
import type { Logger } from "./logger.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import type { Tally } from "./tally.ts";

export type Labels = Record<string, string>;
/** One figure, or one for each set of labels. */
export type Reading = number | Iterable<readonly [Labels, number]>;
type Read = () => Reading | Promise<Reading>;

export interface Metrics {
  /** Names of all metrics, as Prometheus knows them. */
  names(): string[];
  /** A figure that only grows while the process lives; its name ends in `_total`. */
  counter(name: string, help: string, read: Read): void;
  gauge(name: string, help: string, read: Read): void;
  /** Durations; the name ends in `_seconds`. */
  histogram(name: string, help: string, read: () => Tally | Iterable<readonly [Labels, Tally]>): void;
  /** The text that Prometheus reads. */
  text(): Promise<string>;
  /** Serves `GET /metrics` on a port of its own; 0: any. */
  listen(address: { host: string; port: number }): Promise<{ port: number; close(): Promise<void> }>;
}

interface Value {
  labels: Labels;
  value: number;
  metricName?: string;
}

/** A figure that must be asked for elsewhere (a queue's depth) may not hold the others up. */
const readWithinMs = 2_000;

export function createMetrics(options: { service: string; version: string; logger: Logger }): Metrics {
  const { service, version, logger } = options;
  const registry = new Registry();
  registry.setDefaultLabels({ service });

  const add = (type: string, name: string, help: string, values: () => Value[] | Promise<Value[]>) => {
    const get = async () => ({ name, help, type, values: await within(name, values) });
    // The registry asks no more of a metric than its name and `get`.
    registry.registerMetric({ name, help, type, get } as unknown as Metric);
  };

  /** What can't be read is left out of this scrape, and said. */
  const within = async (name: string, values: () => Value[] | Promise<Value[]>): Promise<Value[]> => {
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not read within ${readWithinMs} ms`)), readWithinMs);
      });
      return await Promise.race([values(), late]);
    } catch (error) {
      logger.warn({ err: error, metric: name }, "a metric could not be read");
      return [];
    } finally {
      clearTimeout(timer);
    }
  };

  const figures = (type: string) => (name: string, help: string, read: Read) =>
    add(type, name, help, async () => {
      const reading = await read();
      return typeof reading === "number"
        ? [{ labels: {}, value: reading }]
        : Array.from(reading, ([labels, value]) => ({ labels, value }));
    });

  const metrics: Metrics = {
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    counter: figures("counter"),
    gauge: figures("gauge"),
    histogram: (name, help, read) =>
      add("histogram", name, help, () => {
        const tallies = read();
        const labelled: Iterable<readonly [Labels, Tally]> = "counts" in tallies ? [[{}, tallies]] : tallies;
        return Array.from(labelled, ([labels, tally]) => buckets(name, labels, tally)).flat();
      }),
    text: () => registry.metrics(),
    listen: (address) => serve(address, registry),
  };
  addProcessMetrics(metrics, version);
  return metrics;
}

function buckets(name: string, labels: Labels, tally: Tally): Value[] {
  let count = 0;
  const values: Value[] = tally.boundsSeconds.map((bound, i) => {
    count += tally.counts[i] as number;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: String(bound) }, value: count };
  });
  count += tally.counts[tally.boundsSeconds.length] as number;
  values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count });
  values.push({ metricName: `${name}_sum`, labels, value: tally.sumSeconds });
  values.push({ metricName: `${name}_count`, labels, value: count });
  return values;
}

async function serve(address: { host: string; port: number }, registry: Registry) {
  const server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0];
    if (path !== "/metrics" || request.method !== "GET") {
      response
        .writeHead(404, { "Content-Type": "text/plain; charset=utf-8" })
        .end("GET /metrics is what there is here\n");
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { "Content-Type": registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    const inUse = `Port ${address.port} can't be listened on at ${address.host}: is it in use? Set METRICS_PORT to another one`;
    server.once("error", (cause) => reject(Object.assign(new Error(inUse, { cause }), { clear: true })));
    server.listen(address.port, address.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
