import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import type { Duplex } from "node:stream";
import type { Teardown } from "./teardown.ts";

/** What stands between people and a gateway, and how it treats them; changed at any time. */
export interface TestProxy {
  /** `http://127.0.0.1:…` */
  url: string;
  /** `refuse`: as proxies do that know no WebSocket. `hang`: as firewalls do. */
  webSockets: "pass" | "refuse" | "hang";
  /** `hold`: answers that go on are kept back until they end, as buffering proxies do. */
  streams: "pass" | "hold";
  /** `gone`: nothing comes or goes, and nobody is told, as when a cable is pulled. */
  network: "up" | "gone";
  /** Ends every connection at once. */
  cut(): void;
  /** Open connections of people. */
  connections(): number;
}

/** A proxy on a free port before one address; ends with the test. */
export async function startProxy(teardown: Teardown, target: string): Promise<TestProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<net.Socket>();
  let network: TestProxy["network"] = "up";

  const server = http.createServer((request, response) => {
    const { method, url: path, headers } = request;
    const onward = http.request({ hostname, port, method, path, headers }, (answer) => {
      const isStream = answer.headers["content-type"]?.startsWith("text/event-stream");
      if (isStream && proxy.streams === "hold") {
        const held: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => held.push(chunk));
        answer.on("end", () => response.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(held)));
      } else {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
      }
      answer.on("error", () => response.destroy());
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });

  server.on("upgrade", (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => {});
    if (proxy.webSockets === "hang") return;
    if (proxy.webSockets === "refuse") return void socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
    const onward = net.connect(Number(port), hostname, () => {
      const lines = [`${request.method} ${request.url} HTTP/1.1`];
      for (let i = 0; i < request.rawHeaders.length; i += 2)
        lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
      onward.write(`${lines.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    onward.on("close", () => socket.destroy());
    socket.on("close", () => onward.destroy());
  });

  // In front of it, what carries bytes or does not: a pulled cable tells nobody.
  const inner = server.listen(0, "127.0.0.1");
  await once(inner, "listening");
  const innerPort = (server.address() as net.AddressInfo).port;
  const pairs = new Map<net.Socket, net.Socket>();
  const front = net.createServer((person) => {
    const behind = net.connect(innerPort, "127.0.0.1");
    sockets.add(person);
    pairs.set(person, behind);
    const end = () => {
      sockets.delete(person);
      pairs.delete(person);
      person.destroy();
      behind.destroy();
    };
    for (const side of [person, behind]) side.on("error", end).on("close", () => network === "up" && end());
    person.pipe(behind).pipe(person);
    if (network === "gone") hold(person, behind);
  });
  const hold = (...sides: net.Socket[]) => {
    for (const side of sides) side.unpipe().pause();
  };
  front.listen(0, "127.0.0.1");
  await once(front, "listening");

  const cut = () => {
    for (const [person, behind] of pairs) {
      person.destroy();
      behind.destroy();
    }
    pairs.clear();
    sockets.clear();
  };
  teardown.after(async () => {
    cut();
    server.closeAllConnections();
    await Promise.all([once(front.close(), "close"), once(server.close(), "close")]);
  });

  const proxy: TestProxy = {
    url: `http://127.0.0.1:${(front.address() as net.AddressInfo).port}`,
    webSockets: "pass",
    streams: "pass",
    get network() {
      return network;
    },
    set network(next) {
      network = next;
      if (next === "gone") for (const [person, behind] of pairs) hold(person, behind);
      // What stood still too long was given up by its ends; the rest is as good as new connections are.
      else cut();
    },
    cut,
    connections: () => sockets.size,
  };
  return proxy;
}
