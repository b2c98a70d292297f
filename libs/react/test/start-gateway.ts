import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startStack } from "@parley/local";

/** What ends with a test: its context, or `{ after }` of node:test for what a whole file shares. */
export interface Teardown {
  after(step: () => Promise<void> | void): void;
}

/** A whole Parley with one gateway, on ports of its own; answers the gateway's WebSocket address. */
export async function startGateway(teardown: Teardown): Promise<string> {
  const stateDir = mkdtempSync(join(tmpdir(), "parley-react-"));
  const stack = await startStack({
    ...{ checkoutDir: resolve(import.meta.dirname, "../../.."), stateDir, anyPorts: true, drainMs: 300 },
    instances: { gateway: 1, chat: 1 },
    announce: () => {},
    onLine: () => {},
  });
  teardown.after(async () => {
    await stack.stop();
    rmSync(stateDir, { recursive: true, force: true, maxRetries: 5 });
  });
  const gateway = stack.rows().find(({ service }) => service === "gateway");
  return `ws://127.0.0.1:${gateway?.ports.public}/ws`;
}
