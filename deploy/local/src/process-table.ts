import type { EngineName } from "./services.ts";
import type { Stack } from "./stack.ts";

/** What runs where, for people. */
export function processTable(stack: Stack, tookSeconds: number): string {
  const rows = stack.rows();
  const lines = [["service", "process", "ports", "address"]];
  for (const { service, instance, pid, ports } of rows) {
    const isEngine = service in stack.engines;
    const named = Object.entries(ports).map(([kind, port]) => `${kind} ${port}`);
    lines.push([
      isEngine ? service : `${service} ${instance}`,
      String(pid),
      named.join(", "),
      isEngine ? describeEngine(stack, service as EngineName) : addressOf(ports),
    ]);
  }
  for (const name of Object.keys(stack.engines) as EngineName[]) {
    if (!rows.some(({ service }) => service === name)) lines.push([name, "-", "-", describeEngine(stack, name)]);
  }
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const padded = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   "));
  const page = rows.find(({ ports }) => ports.public !== undefined)?.ports.public;
  return [
    "",
    ...padded.map((line) => `  ${line.trimEnd()}`),
    "",
    `Parley is ready after ${tookSeconds.toFixed(1)} s.${page ? ` Open http://localhost:${page}` : ""}   (Ctrl-C ends all of it)`,
    "",
  ].join("\n");
}

function addressOf(ports: Record<string, number>): string {
  return ports.public === undefined ? `http://127.0.0.1:${ports.internal}/docs` : `http://localhost:${ports.public}`;
}

function describeEngine(stack: Stack, name: EngineName): string {
  const engine = stack.engines[name];
  return engine ? `${engine.url}, ${engine.description}` : "";
}
