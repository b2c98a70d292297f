import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { startTestStack, testStore } from "../support/start-stack.ts";
import { startTalk } from "./store-away.ts";

test("[R1] [E1] the store can't be written to: sends are refused as unavailable within 10 s, typing goes on, and sends go on by themselves", {
  timeout: 120_000,
  skip: testStore() === "mongodb" && "it locks SQLite's file; mongodb.test.ts does the like to MongoDB",
}, async (t) => {
  const stack = await startTestStack(t, { gateways: 1 });
  const talk = await startTalk(t, stack);

  const locker = new DatabaseSync(join(stack.stateDir, "data/parley.db"), { timeout: 5_000 });
  t.after(() => locker.close());
  locker.exec("BEGIN EXCLUSIVE");
  await talk.checkRefused();

  const waiting = talk.send();
  locker.exec("ROLLBACK");
  assert.equal((await waiting).success, true, "a send under way when the store is back succeeds");
  const stored = await talk.send();
  assert.equal(
    stored.success && (stored.data as { seq: number }).seq,
    2,
    "what was refused was stored once, by its repeat",
  );
  await talk.listener.waitForEvent("message", (event) => "seq" in event && event.seq === 2);
});
