import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { type BareSocket, openBareSocket } from "../bare-socket.ts";
import { type HostileCase, type HostileWorld, rawHttp, statusOf, upgradeHeaders } from "./hostile-case.ts";

/** Origins, handshakes, and frames that break WebSocket. */
export function doorCases(): HostileCase[] {
  const port = ({ stack }: HostileWorld) => Number(new URL(stack.httpUrl()).port);
  const origin = (what: string, name: (own: string) => string, answer: string): HostileCase[] => [
    {
      what: `origin of a page, /ws: ${what}`,
      answer: answer === "allowed" ? "101" : "403",
      run: ({ stack }) => {
        const own = new URL(stack.httpUrl()).host;
        return statusOf(`${stack.httpUrl()}/ws`, { headers: { ...upgradeHeaders, origin: name(own) } });
      },
    },
    {
      what: `origin of a page, /fallback: ${what}`,
      answer: answer === "allowed" ? "201" : "403",
      run: ({ stack }) => {
        const own = new URL(stack.httpUrl()).host;
        return statusOf(`${stack.httpUrl()}/fallback`, {
          method: "POST",
          headers: { origin: name(own), "content-length": "0" },
        });
      },
    },
    {
      what: `origin of a page, /socket.io/: ${what}`,
      answer: answer === "allowed" ? "200" : "403",
      run: ({ stack }) => {
        const own = new URL(stack.httpUrl()).host;
        return statusOf(`${stack.httpUrl()}/socket.io/?EIO=4&transport=polling`, { headers: { origin: name(own) } });
      },
    },
  ];
  const broken = (what: string, bytes: number[] | (() => Buffer), answer = "1006"): HostileCase => ({
    what: `WebSocket: ${what}`,
    answer: `closed with ${answer}`,
    run: async ({ stack }) => {
      const client: BareSocket = await openBareSocket(`${stack.wsUrl()}/ws`);
      const socket = (client.socket as unknown as { _socket: Socket })._socket;
      socket.on("error", () => {});
      socket.write(typeof bytes === "function" ? bytes() : Buffer.from(bytes));
      return `closed with ${(await client.closed).code}`;
    },
  });
  const mask = [0, 0, 0, 0];
  const http = (what: string, bytes: string, answer: string): HostileCase => ({
    what: `HTTP: ${what}`,
    answer,
    run: (world) => rawHttp(port(world), bytes),
  });
  const host = "Host: x\r\n";
  const upgrade = `GET /ws HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`;
  return [
    ...origin("this server's own", (own) => `http://${own}`, "allowed"),
    ...origin("a listed one", () => "https://app.example", "allowed"),
    ...origin("a foreign one", () => "https://evil.example", "refused"),
    ...origin("null", () => "null", "refused"),
    ...origin("the listed one with a suffix", () => "https://app.example.evil.example", "refused"),
    ...origin("the listed one with a prefix", () => "https://evilapp.example", "refused"),
    ...origin("the listed one by another scheme", () => "http://app.example", "refused"),
    ...origin("the listed one on another port", () => "https://app.example:8443", "refused"),
    ...origin("the own host on another port", () => "http://127.0.0.1:1", "refused"),
    ...origin("the listed one in capitals", () => "HTTPS://APP.EXAMPLE", "refused"),
    ...origin("two at once", () => "https://app.example https://evil.example", "refused"),
    ...origin("1,000 characters", () => `https://${"a".repeat(1_000)}.example`, "refused"),
    {
      what: "handshake: only unknown subprotocols",
      answer: "400",
      run: ({ stack }) =>
        statusOf(`${stack.httpUrl()}/ws`, { headers: { ...upgradeHeaders, "sec-websocket-protocol": "evil.v9, x" } }),
    },
    http("no HTTP at all", "\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n", "505"),
    http("no Host", "GET /healthz HTTP/1.1\r\n\r\n", "400"),
    http("a header of 64 KiB", `GET /healthz HTTP/1.1\r\n${host}X: ${"a".repeat(65_536)}\r\n\r\n`, "431"),
    http("1,000 headers", `GET /healthz HTTP/1.1\r\n${host}${"X: 1\r\n".repeat(1_000)}\r\n`, "431"),
    // uWebSockets takes the first, which is why a proxy in front must refuse it, as the usual ones do.
    http(
      "two lengths that differ",
      `POST /fallback HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: 5\r\n\r\n`,
      "201",
    ),
    http(
      "a length and chunks",
      `POST /fallback HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      "400",
    ),
    http("a path out of the page's folder", `GET /../../etc/passwd HTTP/1.1\r\n${host}\r\n`, "404"),
    http("an encoded path out of the page's folder", `GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n${host}\r\n`, "404"),
    http("a method that is not served", `DELETE / HTTP/1.1\r\n${host}\r\n`, "405"),
    http("an upgrade without a key", `${upgrade}\r\n`, "404"),
    http(
      "CRLF in a raw room's name",
      `GET /raw/a%0d%0ab HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      "400",
    ),
    broken("a reserved bit", [0xf1, 0x80, ...mask]),
    broken("a reserved opcode", [0x83, 0x80, ...mask]),
    broken("frames without a mask", () => Buffer.from('\x81\x15{"event":"Heartbeat"}'.repeat(3), "latin1")),
    broken("a ping in two parts", [0x09, 0x80, ...mask]),
    broken("a ping of 126 bytes", [0x89, 0xfe, 0, 126, ...mask, ...new Array<number>(126).fill(0)]),
    broken("a continuation of nothing", [0x80, 0x80, ...mask]),
    broken("a length of 2^63", [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, ...mask]),
    broken("over 64 KiB in one frame", () =>
      Buffer.concat([Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, ...mask]), Buffer.alloc(65_537, 0x20)]),
    ),
    broken("over 64 KiB in parts", () =>
      Buffer.concat([
        ...[0x01, 0x00, 0x00].map((head) =>
          Buffer.concat([Buffer.from([head, 0xfe, 0x80, 0, ...mask]), Buffer.alloc(0x8000, 0x20)]),
        ),
      ]),
    ),
    broken("text that is not UTF-8", [0x81, 0x84, ...mask, 0x22, 0xff, 0xfe, 0x22]),
    broken("bytes where text is spoken", [0x82, 0x82, ...mask, 0x7b, 0x7d], "1003"),
    {
      what: "WebSocket: 20,000 pings at once",
      answer: "still served",
      run: async ({ stack }) => {
        const client = await openBareSocket(`${stack.wsUrl()}/ws`);
        const socket = (client.socket as unknown as { _socket: Socket })._socket;
        socket.write(Buffer.concat(Array<Buffer>(20_000).fill(Buffer.from([0x89, 0x80, ...mask]))));
        client.send('{"event":"Heartbeat"}');
        await client.waitForJson("the reply", ({ event }) => event === "Heartbeat");
        await client.close();
        return "still served";
      },
    },
    {
      what: "WebSocket: random bytes",
      answer: "closed",
      run: async ({ stack }) => {
        const client = await openBareSocket(`${stack.wsUrl()}/ws`);
        const socket = (client.socket as unknown as { _socket: Socket })._socket;
        socket.on("error", () => {});
        socket.write(Buffer.concat([Buffer.from([0xff]), randomBytes(4_096)]));
        await client.closed;
        return "closed";
      },
    },
  ];
}
