import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import type { Teardown } from "../support/teardown.ts";

/** A way to NATS that loses what NATS has for one of its clients, as the at-most-once delivery of core NATS may. */
export interface LossyNats {
  url: string;
  /** Loses, from now on, each message of NATS to the clients whose connection has this name. */
  lose(name: string): void;
  loseNoMore(): void;
}

export async function startLossyNats(teardown: Teardown, natsUrl: string): Promise<LossyNats> {
  const { hostname, port } = new URL(natsUrl);
  const sockets = new Set<Socket>();
  let losing: string | null = null;

  const server = createServer((client) => {
    const upstream = connectTcp(Number(port), hostname);
    let name = "";
    client.on("data", (chunk) => {
      // The first line of a client is CONNECT {…,"name":"…"}.
      name ||= /"name":"([^"]+)"/.exec(chunk.toString("latin1"))?.[1] ?? "";
      upstream.write(chunk);
    });
    const passOn = createMessageFilter(
      () => losing !== null && name === losing,
      (bytes) => client.write(bytes),
    );
    upstream.on("data", passOn);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  teardown.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lose: (name) => {
      losing = name;
    },
    loseNoMore: () => {
      losing = null;
    },
  };
}

/** Takes NATS' stream apart: `MSG subject sid [reply] bytes` and `HMSG … bytes` carry a payload, all else is one line. */
function createMessageFilter(losing: () => boolean, passOn: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const lineEnd = rest.indexOf("\r\n");
      if (lineEnd < 0) return;
      const words = rest.toString("latin1", 0, lineEnd).split(" ");
      const isMessage = words[0] === "MSG" || words[0] === "HMSG";
      const length = lineEnd + 2 + (isMessage ? Number(words.at(-1)) + 2 : 0);
      if (rest.length < length) return;
      if (!isMessage || !losing()) passOn(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
}
