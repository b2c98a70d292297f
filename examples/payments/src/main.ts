/** `node examples/payments/src/main.ts`: transfers while the SMS provider works, and while it fails; none is slower for it. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { startStack } from "@parley/local";
import { openLedger } from "./ledger.ts";
import { startTelling } from "./tell.ts";

const transfers = 500;
const checkoutDir = resolve(import.meta.dirname, "../../..");
const stateDir = mkdtempSync(join(checkoutDir, ".parley-payments-"));

let failing = false;
let taken = 0;
const provider = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    if (!failing) taken++;
    response.writeHead(failing ? 503 : 200).end();
  });
});
await new Promise<void>((done) => provider.listen(0, "127.0.0.1", done));

const stack = await startStack({
  ...{ checkoutDir, stateDir, anyPorts: true, drainMs: 300 },
  instances: { gateway: 0, chat: 0, presence: 0, timer: 0, notify: 1, sms: 1 },
  env: {
    SMS_PROVIDER: "webhook",
    SMS_WEBHOOK_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
    SMS_WEBHOOK_SECRET: "shared with the provider",
    SMS_PER_NUMBER: "100000",
    SMS_TRANSACTIONAL_PER_SECOND: "1000",
    SMS_RETRY_MS: "500",
  },
  announce: () => {},
  onLine: () => {},
});
const ledger = openLedger(join(stateDir, "ledger.db"));
ledger.addAccount({ id: "ada", name: "Ada", phone: "+12025550141", cents: 1_000_000 });
ledger.addAccount({ id: "bob", name: "Bob", phone: "+12025550142", cents: 0 });
const notifyUrl = `http://127.0.0.1:${stack.row("notify", 1).ports.internal}`;
const telling = startTelling({ ledger, notifyUrl, token: stack.serviceToken });

/** Commits so many transfers; answers how long the slowest of a hundred took, and the middle one. */
async function pay(prefix: string): Promise<string> {
  const tookMs: number[] = [];
  for (let n = 0; n < transfers; n++) {
    const startedAt = performance.now();
    ledger.transfer(`${prefix}-${n}`, "ada", "bob", 100);
    tookMs.push(performance.now() - startedAt);
    await new Promise((done) => setTimeout(done, 4));
  }
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => `${(tookMs[Math.floor(transfers * share)] as number).toFixed(2)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}`;
}

async function untilTaken(count: number): Promise<void> {
  while (taken < count) await new Promise((done) => setTimeout(done, 50));
}

console.log(`${transfers} transfers, provider works:  ${await pay("works")}`);
await untilTaken(2 * transfers);
failing = true;
console.log(`${transfers} transfers, provider fails:  ${await pay("fails")}`);
console.log(`SMS at the provider so far: ${taken} of ${4 * transfers}`);
failing = false;
await untilTaken(4 * transfers);
console.log(`The provider works again: ${taken} SMS, one debit and one credit for each transfer`);

await telling.stop();
ledger.close();
await stack.stop();
provider.close();
rmSync(stateDir, { recursive: true, force: true });
