import { styleText } from "node:util";

type Colour = Parameters<typeof styleText>[0];

/** Where a log goes. */
export interface LogTarget {
  write(text: string): void;
  colours: boolean;
}

/** Standard output; colours only for people: on a terminal, and not where NO_COLOR is set. */
export function terminalTarget(stream: NodeJS.WriteStream = process.stdout): LogTarget {
  return {
    write: (text) => void stream.write(text),
    colours: stream.isTTY === true && !process.env.NO_COLOR,
  };
}

const prefixColours: Colour[] = [
  "cyan",
  "green",
  "magenta",
  "blue",
  "yellow",
  "cyanBright",
  "greenBright",
  "magentaBright",
];
const levels: Record<number, { name: string; colour: Colour }> = {
  10: { name: "trace", colour: "gray" },
  20: { name: "debug", colour: "gray" },
  30: { name: "info", colour: "white" },
  40: { name: "warn", colour: "yellow" },
  50: { name: "error", colour: "red" },
  60: { name: "fatal", colour: "red" },
};

/** Prints lines with the name of the process they come from before them. */
export interface ProcessLog {
  /** A line of a process's output: pino's JSON is shown as a short line, anything else as it is. */
  processLine(title: string, line: string): void;
  /** A word of the launcher's own. */
  say(line: string): void;
}

export function createProcessLog(target: LogTarget, titleWidth: number): ProcessLog {
  const colourOf = new Map<string, Colour>();
  const paint = (colour: Colour, text: string) =>
    target.colours ? styleText(colour, text, { validateStream: false }) : text;
  const prefix = (title: string) => {
    const colour = colourOf.get(title) ?? prefixColours[colourOf.size % prefixColours.length] ?? "white";
    colourOf.set(title, colour);
    return paint(colour, `${title.padEnd(titleWidth)} │`);
  };
  return {
    processLine(title, line) {
      if (line.trim() === "") return;
      const entry = parseEntry(line);
      const text = entry ? readable(entry, paint) : line;
      // An error's stack has several lines; each keeps the prefix.
      for (const part of text.split("\n")) target.write(`${prefix(title)} ${part}\n`);
    },
    say: (line) => target.write(`${paint("bold", line)}\n`),
  };
}

type Entry = Record<string, unknown> & { level: number; msg?: unknown };

function parseEntry(line: string): Entry | null {
  if (!line.startsWith("{")) return null;
  try {
    const entry: unknown = JSON.parse(line);
    const isEntry = typeof entry === "object" && entry !== null && typeof (entry as Entry).level === "number";
    return isEntry ? (entry as Entry) : null;
  } catch {
    return null;
  }
}

/** Said by the prefix already, or of no use to a person who watches. */
const leftOut = new Set(["level", "time", "pid", "hostname", "name", "msg", "service", "instance", "node", "err"]);

function readable(entry: Entry, paint: (colour: Colour, text: string) => string): string {
  const { name, colour } = levels[entry.level] ?? { name: String(entry.level), colour: "white" };
  const at = new Date(typeof entry.time === "number" || typeof entry.time === "string" ? entry.time : Date.now());
  const time = Number.isNaN(at.getTime()) ? "--:--:--" : at.toTimeString().slice(0, 8);
  const fields = Object.entries(entry)
    .filter(([key]) => !leftOut.has(key))
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const words = [paint("gray", time), paint(colour, name.padEnd(5)), String(entry.msg ?? "")];
  if (fields.length > 0) words.push(paint("gray", fields.join(" ")));
  const err = entry.err as { stack?: unknown; message?: unknown } | undefined;
  const error = err?.stack ?? err?.message;
  return words.join(" ") + (typeof error === "string" ? `\n${error}` : "");
}
