import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openLedger, startTelling } from "@parley/payments";
import { startSmsStack } from "../support/sms-stack.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

test("[N1] [N2] the payments example: transfers commit while the provider fails and notify is down; each side gets one SMS", async (t) => {
  const { stack, provider } = await startSmsStack(t, {
    SMS_ATTEMPTS: "1000",
    SMS_RETRY_MAX_MS: "500",
    SMS_TIMEOUT_MS: "30000",
  });
  provider.behave(() => 503);
  const path = join(tempDir(t), "ledger.db");
  const ledger = openLedger(path);
  t.after(() => ledger.close());
  ledger.addAccount({ id: "ada", name: "Ada {{x}}", phone: "+12025550141", cents: 10_000 });
  ledger.addAccount({ id: "bob", name: "Bob", phone: "+12025550142", cents: 0 });
  const notifyUrl = stack.internalUrl("notify", 1);
  const telling = startTelling({ ledger, notifyUrl, token: stack.serviceToken });
  t.after(telling.stop);

  for (let n = 0; n < 10; n++) ledger.transfer(`t${n}`, "ada", "bob", 100);
  await waitFor("the provider to be asked", () => provider.calls.length > 0);
  stack.kill9("notify", 1);
  for (let n = 10; n < 20; n++) ledger.transfer(`t${n}`, "ada", "bob", 100);
  assert.throws(() => ledger.transfer("poor", "bob", "ada", 1_000_000), /Bob has not/);
  // Another teller of the same ledger, as after a restart: what both tell is told once.
  const again = openLedger(path);
  t.after(() => again.close());
  const second = startTelling({ ledger: again, notifyUrl, token: stack.serviceToken });
  t.after(second.stop);
  await waitFor("notify to be back and to have all", () => ledger.owed(1).length === 0, { timeoutMs: 30_000 });
  provider.behave(() => "accept");
  await waitFor("all to be sent", () => provider.taken.length >= 40, { timeoutMs: 30_000 });
  assert.equal(new Set(provider.taken).size, 40);
  assert.equal(provider.taken.length, 40);
  const texts = provider.calls.filter(({ id }) => provider.taken.includes(id)).map(({ text }) => text);
  assert.ok(texts.includes("Debited 1.00 to Bob") && texts.includes("Credited 1.00 from Ada {{x}}"));
});
