import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { startStack } from "@parley/local";
import type { Teardown } from "./teardown.ts";
import { tempDir } from "./temp-dir.ts";

/** A Redis of the test's own. */
export interface TestRedis {
  url: string;
  /** SIGKILL; it is started again on the same port, with what it had written to disk. */
  kill9(): void;
  pause(): void;
  resume(): void;
  /** Not to be reached until `up`: connections break, new ones are refused. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export async function startTestRedis(teardown: Teardown): Promise<TestRedis> {
  const stack = await startStack({
    ...{ checkoutDir: import.meta.dirname, stateDir: tempDir(teardown), anyPorts: true },
    ...{ services: [], engines: ["redis"] },
    announce: () => {},
    onLine: () => {},
  });
  teardown.after(stack.stop);
  const { redis } = stack.engines;
  if (!redis) throw new Error("the stack has no Redis, though it was asked for");
  const target = new URL(redis.url);

  const sockets = new Set<Socket>();
  const join = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.pipe(to);
    from.on("error", () => {});
    from.once("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  let server: Server;
  const listen = async (port: number) => {
    server = createServer((client) => {
      const redisSide = createConnection({ port: Number(target.port), host: target.hostname });
      join(client, redisSide);
      join(redisSide, client);
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const down = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const port = await listen(0);
  teardown.after(down);

  return {
    url: `redis://127.0.0.1:${port}`,
    kill9: () => stack.kill("redis", 1, "SIGKILL"),
    pause: () => stack.kill("redis", 1, "SIGSTOP"),
    resume: () => stack.kill("redis", 1, "SIGCONT"),
    down,
    up: async () => void (await listen(port)),
  };
}
