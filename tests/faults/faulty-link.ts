import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Teardown } from "../support/teardown.ts";

/** A TCP connection's way to a server, which breaks as told. */
export interface FaultyLink {
  port: number;
  /** Breaks every connection, in the midst of whatever it carries. */
  cut(): void;
  /** Breaks every connection and takes no new ones, until `mend`. */
  refuse(): void;
  /** Connections stay open and carry nothing, either way, until `mend`: as when packets are lost without a word. */
  stall(): void;
  mend(): void;
}

export async function startFaultyLink(teardown: Teardown, targetPort: number): Promise<FaultyLink> {
  const pairs = new Set<[Socket, Socket]>();
  let state: "whole" | "refusing" | "stalled" = "whole";

  const apply = ([near, far]: [Socket, Socket]) => {
    for (const socket of [near, far]) state === "stalled" ? socket.pause() : socket.resume();
  };
  const breakAll = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  };

  const server = createServer((near) => {
    if (state === "refusing") {
      near.resetAndDestroy();
      return;
    }
    const far = connect(targetPort, "127.0.0.1");
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    const carry = (from: Socket, to: Socket) => {
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", end);
      from.on("close", end);
    };
    carry(near, far);
    carry(far, near);
    apply(pair);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  teardown.after(() => {
    server.close();
    breakAll();
  });

  const become = (next: typeof state) => {
    state = next;
    for (const pair of pairs) apply(pair);
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut: breakAll,
    refuse: () => {
      become("refusing");
      breakAll();
    },
    stall: () => become("stalled"),
    mend: () => become("whole"),
  };
}
