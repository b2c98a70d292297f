import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { number, startSmsStack, statusesOf } from "../support/sms-stack.ts";
import { startTestRedis } from "../support/start-redis.ts";
import { testStore } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

/** What may stand in for MongoDB reads all of them to count those to one number, for each that is accepted. */
const [whileDown, afterwards] = testStore() === "mongodb" ? [100, 20] : [1_000, 100];

test(`[N1] [N2] Redis down for 30 s while ${whileDown} are accepted, then flushed, then killed: all are sent once`, async (t) => {
  const redis = await startTestRedis(t);
  const { api, provider } = await startSmsStack(t, {
    REDIS_URL: redis.url,
    // No answer may come so late here that it counts as unknown, however slow the machine.
    SMS_TIMEOUT_MS: "30000",
  });
  const accept = async (from: number, count: number) => {
    const ids: string[] = [];
    let slowestMs = 0;
    for (let n = from; n < from + count; n += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const startedAtMs = performance.now();
          const { status, body } = await api.send({
            to: number(n + i),
            text: `SMS ${n + i}`,
            kind: i % 2 ? "transactional" : "bulk",
          });
          slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
          assert.equal(status, 202);
          ids.push(body.id);
        }),
      );
    }
    return { ids, slowestMs };
  };
  await redis.down();
  const downAtMs = Date.now();
  const { ids, slowestMs } = await accept(0, whileDown);
  const notice = JSON.stringify({ user: "ada", kind: "news", title: "taken in without Redis" });
  const { status, body } = await api.call("notify", "POST", "/v1/notifications", notice);
  assert.equal(status, 202);
  t.diagnostic(`slowest of ${whileDown} accepted without Redis: ${slowestMs.toFixed(0)} ms`);
  assert.ok(slowestMs < 5_000, `accepting waited for Redis: ${slowestMs} ms`);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, downAtMs + 30_000 - Date.now())));
  assert.equal(provider.taken.length, 0);
  await redis.up();
  await waitFor("some to be sent", () => provider.taken.length > whileDown / 10, { timeoutMs: 30_000 });

  const client = new Redis(redis.url);
  await client.flushall();
  client.disconnect();
  await waitFor("more to be sent", () => provider.taken.length > whileDown / 2, { timeoutMs: 30_000 });
  redis.kill9();
  const more = await accept(whileDown, afterwards);
  const all = [...ids, ...more.ids];
  const statuses = await statusesOf(api, all, 90_000);
  assert.deepEqual(new Set(statuses.values()), new Set(["sent"]));
  const told = async () => (await api.call("notify", "GET", `/v1/notifications/${body.id}`)).body.status === "sent";
  await waitFor("the notification to be told", told, { timeoutMs: 30_000 });
  assert.deepEqual([...provider.taken].sort(), [...all].sort(), "each once");
});
