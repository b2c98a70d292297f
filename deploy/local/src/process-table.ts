import type { Stack } from "./stack.ts";

/** What runs where, for people. */
export function processTable(stack: Stack, tookSeconds: number): string {
  const lines = [["service", "process", "ports", "address"]];
  for (const { service, instance, pid, ports } of stack.rows()) {
    const named = Object.entries(ports).map(([kind, port]) => `${kind} ${port}`);
    lines.push([
      instance === 1 && service in stack.engines ? service : `${service} ${instance}`,
      String(pid),
      named.join(", "),
      addressOf(stack, service, ports),
    ]);
  }
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const table = lines.map((line) =>
    `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   ")}`.trimEnd(),
  );
  for (const [name, { url, description }] of Object.entries(stack.engines))
    table.push(`  ${name}: ${description}, ${url}`);
  const page = stack.rows().find(({ ports }) => ports.public !== undefined)?.ports.public;
  return [
    "",
    ...table,
    "",
    `Parley is ready after ${tookSeconds.toFixed(1)} s.${page ? ` Open http://localhost:${page}` : ""}   (Ctrl-C ends all of it)`,
    "",
  ].join("\n");
}

function addressOf(stack: Stack, service: string, ports: Record<string, number>): string {
  if (ports.public !== undefined) return `http://localhost:${ports.public}`;
  if (ports.internal !== undefined) return `http://127.0.0.1:${ports.internal}/docs`;
  return service in stack.engines ? (stack.engines[service as keyof Stack["engines"]]?.url ?? "") : "";
}
