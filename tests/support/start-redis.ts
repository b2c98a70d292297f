import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { startEngine, type TestEngine } from "./start-engine.ts";
import type { Teardown } from "./teardown.ts";

/** A Redis of the test's own. */
export interface TestRedis extends Pick<TestEngine, "url" | "kill9" | "pause" | "resume"> {
  /** Not to be reached until `up`: connections break, new ones are refused. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export async function startTestRedis(teardown: Teardown): Promise<TestRedis> {
  const redis = await startEngine(teardown, "redis");
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
    ...{ kill9: redis.kill9, pause: redis.pause, resume: redis.resume },
    down,
    up: async () => void (await listen(port)),
  };
}
