import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A row of `.parley/processes.json`, which tells other tools what runs where. */
export interface ProcessRow {
  service: string;
  instance: number;
  pid: number;
  /** By what they are for: `public`, `internal`, `metrics`, `client`. */
  ports: Record<string, number>;
}

/** Replaces the file in one step, so that a reader never sees half of it. */
export function writeProcessesFile(file: string, rows: readonly ProcessRow[]): void {
  mkdirSync(dirname(file), { recursive: true });
  const next = `${file}.next`;
  writeFileSync(next, `[\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(",\n")}\n]\n`);
  renameSync(next, file);
}

/** The rows of the file, or none when it is missing or not ours. */
export function readProcessesFile(file: string): ProcessRow[] {
  try {
    const rows: unknown = JSON.parse(readFileSync(file, "utf8"));
    return Array.isArray(rows) ? rows.filter(isProcessRow) : [];
  } catch {
    return [];
  }
}

export function removeProcessesFile(file: string): void {
  rmSync(file, { force: true });
}

function isProcessRow(row: unknown): row is ProcessRow {
  if (typeof row !== "object" || row === null) return false;
  const { service, instance, pid } = row as Partial<ProcessRow>;
  return typeof service === "string" && typeof instance === "number" && Number.isSafeInteger(pid) && Number(pid) > 1;
}
