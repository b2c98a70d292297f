import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Teardown } from "./teardown.ts";

export interface ProviderCall {
  id: string;
  to: string;
  text: string;
  atMs: number;
  /** The client's connection ended before the answer. */
  gone: boolean;
}

/** What the provider does with a call: takes it and says so, takes it and says nothing, or says a status and takes nothing. */
export type Behaviour = "accept" | "accept silently" | "hang" | number;

/** An SMS provider over HTTP that counts: what it took, it took, whatever becomes of the answer. */
export interface TestProvider {
  url: string;
  /** All calls, also those not taken. */
  calls: ProviderCall[];
  /** Ids of the SMS taken, one for each time. */
  taken: string[];
  /** From now on; `accept` in the beginning. `callMs`: how long it takes to answer. */
  behave(how: (call: ProviderCall) => Behaviour, callMs?: number): void;
  close(): Promise<void>;
}

export async function startTestProvider(teardown: Teardown): Promise<TestProvider> {
  const calls: ProviderCall[] = [];
  const taken: string[] = [];
  let how: (call: ProviderCall) => Behaviour = () => "accept";
  let answerMs = 0;

  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Pick<ProviderCall, "id" | "to" | "text">;
    const call: ProviderCall = { ...body, atMs: Date.now(), gone: false };
    response.once("close", () => {
      call.gone = !response.writableFinished;
    });
    calls.push(call);
    const behaviour = how(call);
    if (typeof behaviour === "number") return response.writeHead(behaviour).end("not today");
    if (behaviour === "hang") return;
    taken.push(call.id);
    if (answerMs > 0) await new Promise((resolve) => setTimeout(resolve, answerMs));
    if (behaviour === "accept") response.writeHead(201).end(JSON.stringify({ id: `p-${call.id}` }));
  };
  const server = createServer((request, response) => void take(request, response).catch(() => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  teardown.after(close);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sms`,
    calls,
    taken,
    behave: (next, callMs = 0) => {
      how = next;
      answerMs = callMs;
    },
    close,
  };
}
