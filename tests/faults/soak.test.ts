import assert from "node:assert/strict";
import { test } from "node:test";
import { soak } from "../soak/soak.ts";

test("[R3] [R4] [R5] [R6] 20 s of random cuts, on every way in: each message once, in order, to all, and no send fails", async (t) => {
  const { samples, sent, cuts, faults } = await soak(t, { durationMs: 20_000, sampleEveryMs: 5_000 });
  assert.deepEqual(faults, []);
  assert.ok(sent > 0 && cuts > 3);
  t.diagnostic(
    `${sent} messages, ${cuts} cuts; clients' heap ${samples.map(({ clientHeap }) => clientHeap).join(", ")} MiB`,
  );
});
