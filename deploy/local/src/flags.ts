import { type ParseArgsConfig, parseArgs } from "node:util";
import { type ServiceDefinition, type StoreKind, storeKinds } from "./services.ts";

export interface Flags {
  help: boolean;
  fresh: boolean;
  loadTest: boolean;
  publicPort?: number;
  store: StoreKind;
  /** How many of each, by the service's name. */
  instances: Record<string, number>;
}

/** A flag that can't be understood; the message says which and why. */
export class FlagError extends Error {
  override name = "FlagError";
}

const mostInstances = 64;

/** Throws FlagError. */
export function parseFlags(args: string[], services: readonly ServiceDefinition[]): Flags {
  const options: NonNullable<ParseArgsConfig["options"]> = {
    help: { type: "boolean", short: "h" },
    fresh: { type: "boolean" },
    "load-test": { type: "boolean" },
    port: { type: "string" },
    store: { type: "string" },
  };
  for (const { flag } of services) options[flag] = { type: "string" };
  const values = parse(args, options);
  const instances: Record<string, number> = {};
  for (const { name, flag, publicPort } of services) {
    const count = wholeNumber(`--${flag}`, values[flag], publicPort === undefined ? 0 : 1, mostInstances);
    if (count !== undefined) instances[name] = count;
  }
  return {
    help: values.help === true,
    fresh: values.fresh === true,
    loadTest: values["load-test"] === true,
    publicPort: wholeNumber("--port", values.port, 1, 65_535),
    store: storeKind(values.store),
    instances,
  };
}

function parse(args: string[], options: NonNullable<ParseArgsConfig["options"]>) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // The first sentence says what is wrong; the rest speaks of positionals, which we have none of.
    throw new FlagError((error as Error).message.split(/\. |\n/)[0]?.replace(/\.$/, ""));
  }
}

function wholeNumber(flag: string, given: unknown, least: number, most: number): number | undefined {
  if (given === undefined) return undefined;
  const value = typeof given === "string" && /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new FlagError(`${flag} takes a whole number from ${least} to ${most}, not "${given}"`);
  }
  return value;
}

function storeKind(given: unknown): StoreKind {
  const found = storeKinds.find((kind) => kind === (given ?? "sqlite"));
  if (found === undefined) throw new FlagError(`--store takes ${storeKinds.join(" or ")}, not "${given}"`);
  return found;
}

export function helpText(services: readonly ServiceDefinition[]): string {
  const counts = services.map(({ name, flag, instances }) =>
    line(`--${flag} N`, `how many of ${name} run (${instances})`),
  );
  return [
    "npm start -- [flags]     runs Parley on this machine; Ctrl-C ends all of it",
    "",
    ...counts,
    line("--port N", "the first gateway's port; the others count up (8080)"),
    line("--store KIND", "sqlite, or mongodb: found or started as NATS is (sqlite)"),
    line("--fresh", "throws stored rooms and messages away first (.parley/data)"),
    line("--load-test", "lifts the limits per session and per address"),
    line("--help", "this text"),
  ].join("\n");
}

function line(flag: string, what: string): string {
  return `  ${flag.padEnd(14)} ${what}`;
}
