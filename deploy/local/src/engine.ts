import { type ChildProcess, execFile } from "node:child_process";
import { connect } from "node:net";
import { promisify } from "node:util";

/** Where an engine comes from: it runs already, or there is a command that starts one. */
export type FoundEngine = { kind: "running"; description: string; url: string } | StartableEngine;

export interface StartableEngine {
  kind: "startable";
  /** For people: `nats-server 2.14.0 (registry package)`. */
  description: string;
  /** The command that runs it once in the foreground, on this port of 127.0.0.1, keeping its data in `dataDir`. */
  command(port: number, dataDir: string): EngineCommand;
}

export interface EngineCommand {
  file: string;
  args: string[];
  /** How a signal reaches the server where the command's own process is not it. */
  signal?: (child: ChildProcess, signal: NodeJS.Signals) => boolean;
}

/** What the launcher has to know about a server that is not ours. */
export interface Engine {
  name: string;
  /** The port it gets unless that is in use. */
  port: number;
  url(port: number): string;
  /** Finds a way to have one. Rejects with one clear sentence when there is none. */
  locate(announce: (line: string) => void): Promise<FoundEngine>;
  /** Which lines of its output a person should see; the rest is routine. */
  worthShowing: RegExp;
  /** Whether it answers on this port now, and does what it is there for. */
  isUp(port: number): Promise<boolean>;
}

/** Connects, sends `ask` if any, and tells whether the first thing said begins with `expected`. */
export function answersWith(port: number, ask: string, expected: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.once("connect", () => ask && socket.write(ask));
    socket.once("data", (data) => end(data.toString("latin1").startsWith(expected)));
  });
}

/** What a command says, or null when it does not run or fails. */
export async function outputOf(file: string, ...args: string[]): Promise<string | null> {
  try {
    return (await promisify(execFile)(file, args, { timeout: 10_000 })).stdout;
  } catch {
    return null;
  }
}

/** The first thing in a command's output that looks like a version, or null when the command does not run. */
export async function versionOf(file: string, ...args: string[]): Promise<string | null> {
  const output = await outputOf(file, ...args);
  return output === null ? null : (/\d+\.\d+(\.\d+)*/.exec(output)?.[0] ?? "of unknown version");
}
