import assert from "node:assert/strict";
import test from "node:test";
import { Svcm } from "@nats-io/services";
import { connect } from "@nats-io/transport-node";
import { startTestStack } from "../support/start-stack.ts";

test("the standard NATS services tools list, ping and measure the chat workers", async (t) => {
  const stack = await startTestStack(t, { gateways: 1, chat: 2 });
  const port = stack.row("nats", 1).ports.client;
  const nc = await connect({ servers: process.env.NATS_URL ?? `127.0.0.1:${port}` });
  try {
    const client = new Svcm(nc).client();
    const workers = new Set<string>();
    for await (const info of await client.ping("parley-chat")) workers.add(info.metadata?.worker ?? "");
    assert.equal(workers.size, 2);
    for await (const stats of await client.stats("parley-chat")) {
      const [endpoint] = stats.endpoints ?? [];
      assert.equal(typeof (endpoint?.data as { batches?: number })?.batches, "number");
    }
  } finally {
    await nc.close();
  }
});
