import { request as httpRequest } from "node:http";
import { connect as connectTcp } from "node:net";
import { makeToken } from "@parley/local";
import type { Reply } from "@parley/protocol";
import type { TestStack } from "../../support/start-stack.ts";
import { connectTestClient, type TestClient } from "../../support/websocket-client.ts";

/** What tokens name as their issuer in these tests. */
export const issuer = "https://app.example";

/** One thing that nobody should do, and what it is answered. Names are those of docs/hostile-cases.md. */
export interface HostileCase {
  what: string;
  answer: string;
  /** Does it, and gives the answer that came. */
  run(world: HostileWorld): Promise<string>;
}

export interface HostileWorld {
  stack: TestStack;
  /** Signs and waits for what the issuer's keys are asked; see tokens. */
  token(...args: string[]): Promise<string>;
  /** A registered client that is closed after the case. */
  user(...args: string[]): Promise<TestClient>;
  /** A connected client that has not registered. */
  stranger(gateway?: number): Promise<TestClient>;
}

export function createHostileWorld(stack: TestStack): HostileWorld & { closeAll(): void } {
  const open: TestClient[] = [];
  const stranger = async (gateway = 1) => {
    const client = await connectTestClient(`${stack.wsUrl(gateway)}/ws`);
    open.push(client);
    return client;
  };
  const token = async (...args: string[]) =>
    (await makeToken([...args, "--issuer", issuer], stack.tokenSecret)) as string;
  return {
    stack,
    token,
    stranger,
    async user(...args) {
      const client = await stranger();
      await client.request("Register", { token: await token(...args) });
      return client;
    },
    closeAll() {
      for (const { socket } of open.splice(0)) socket.terminate();
    },
  };
}

/** `ok`, or the code of a refusal. */
export const codeOf = ({ success, code }: Reply): string => (success ? "ok" : String(code));

/** The code of the answer, also where it is to a frame that could not be read and so names no request. */
export function codeOfAny(client: TestClient, event: string, fields: object): Promise<string> {
  return new Promise((resolve, reject) => {
    client.socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Reply;
      if (frame.eventType === "Reply" && frame.requestId === null) resolve(codeOf(frame));
    });
    client.send(event, fields).then((reply) => resolve(codeOf(reply)), reject);
  });
}

/** A reply's code, and how the connection ended after it. */
export async function codeThenClose(client: TestClient, event: string, fields: object): Promise<string> {
  const reply = await client.send(event, fields);
  const { code } = await client.closed;
  return `${codeOf(reply)}, then ${code}`;
}

/** The status of an HTTP request that no browser or fetch would send: headers go out as they are. */
export function statusOf(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const request = httpRequest(url, {
      method: options.method ?? "GET",
      headers: options.headers,
      insecureHTTPParser: true,
    });
    request.on("response", (response) => {
      response.resume();
      resolve(String(response.statusCode));
    });
    request.on("upgrade", (_response, socket) => {
      socket.destroy();
      resolve("101");
    });
    request.on("error", () => resolve("closed"));
    request.setTimeout(10_000, () => request.destroy());
    request.end(options.body);
  });
}

export const upgradeHeaders = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** Writes bytes to a port and gives the status line that comes back, or `closed`. */
export function rawHttp(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    const end = (answer: string) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text);
      if (status) end(status[1] as string);
    });
    socket.on("error", () => end("closed"));
    socket.on("close", () => end("closed"));
    socket.setTimeout(15_000, () => end("no answer"));
  });
}
