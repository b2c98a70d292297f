/** What is measured, and how to get a connection into a room of it: Parley itself, or the bare server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Connection, type Endpoint, openConnection } from "./connection.ts";
import { maskedText } from "./frames.ts";
import { pinnedCommand } from "./pinning.ts";
import type { ServerProcess } from "./processes.ts";

export type Role = "listen" | "publish";

export interface Side {
  name: "ours" | "bare";
  /** What its CPU and memory are read from; empty when they aren't known. */
  processes: ServerProcess[];
  /** Opens the `index`-th connection, ready to `listen` to a room or to `publish` into it. */
  enter(index: number, role: Role, room: string): Promise<Connection>;
}

const openTimeoutMs = 20_000;
/** One address has some 28,000 ports to connect from; beyond that further loopback addresses are used. */
const connectionsPerAddress = 20_000;

function openDealtOut(targets: Endpoint[], index: number, path: string): Promise<Connection> {
  const target = targets[index % targets.length]!;
  const address = Math.floor(index / targets.length / connectionsPerAddress);
  const localAddress = address === 0 ? undefined : `127.0.1.${address}`;
  return openConnection(target, path, { localAddress, timeoutMs: openTimeoutMs });
}

/** Sends one event and reads replies until its own comes. Rejects when it says no, with what the server said. */
function request(connection: Connection, requestId: number, event: string, requestData: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no reply to ${event} within ${openTimeoutMs} ms`)), openTimeoutMs);
    const settle = (error: string | null): void => {
      clearTimeout(timer);
      connection.onText = () => {};
      if (error === null) resolve();
      else {
        connection.close();
        reject(new Error(error));
      }
    };
    connection.onLost = (reason) => settle(`${event}: ${reason}`);
    connection.onText = (bytes, start, end) => {
      // Others' arrivals come by the thousand while a room fills; only replies are worth parsing.
      const text = bytes.toString("latin1", start, Math.min(end, start + 20));
      if (!text.startsWith('{"eventType":"Reply"')) return;
      const reply = JSON.parse(bytes.toString("utf8", start, end));
      if (reply.requestId !== requestId) return;
      if (reply.success === true) settle(null);
      else settle(`${event} was refused: ${reply.error} (${reply.code})`);
    };
    connection.write(maskedText(JSON.stringify({ eventType: "ClientEvent", event, requestId, requestData })));
  });
}

export function createParleySide(targets: Endpoint[], processes: ServerProcess[]): Side {
  return {
    name: "ours",
    processes,
    async enter(index, role, room) {
      const connection = await openDealtOut(targets, index, "/ws");
      // Presence of thousands of guests would drown what is measured.
      await request(connection, 1, "Register", { guest: true, presence: "none" });
      // A public room can be sent to without joining it.
      if (role === "listen") await request(connection, 2, "JoinRoom", { room });
      return connection;
    },
  };
}

/** Starts the bare server as a process of its own, on `cpu` alone when that is given. */
export async function startBareSide(cpu: number | null): Promise<{ side: Side; stop: () => Promise<void> }> {
  const script = fileURLToPath(new URL("bare-server.ts", import.meta.url));
  const [command, ...args] = pinnedCommand(cpu, [process.execPath, "--no-warnings", script]);
  const server = spawn(command!, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(server, "exit");
  const line = await Promise.race([
    once(createInterface({ input: server.stdout }), "line").then(([text]) => String(text)),
    exited.then(([code]) => {
      throw new Error(`the bare server ended at once (exit code ${code}); its own words are above`);
    }),
  ]);
  const targets = [{ host: "127.0.0.1", port: Number(JSON.parse(line).port) }];
  return {
    side: {
      name: "bare",
      processes: [{ service: "bare", pid: server.pid! }],
      enter: (index, role, room) => openDealtOut(targets, index, `/${role}/${encodeURIComponent(room)}`),
    },
    async stop() {
      server.stdin.end();
      await exited;
    },
  };
}
