import assert from "node:assert/strict";
import test from "node:test";
import { type NotificationRecord, openStore } from "@parley/store";
import { foldDigest } from "../src/digest.ts";

const waiting = (n: number, changes: Partial<NotificationRecord> = {}): NotificationRecord => ({
  ...{ id: `n${n}`, user: "ada", kind: "like", title: `like ${n}`, body: "", data: null, dedupeKey: `k${n}` },
  ...{ status: "waiting", plan: '{"steps":[],"digest":true}', count: 1, position: null, readAtMs: null },
  ...{ createdAtMs: n, sentAtMs: null, dueAtMs: 100, version: 1, ...changes },
});

test("a digest takes in all that wait with it, each once, also where a fold was cut short", async (t) => {
  const store = await openStore("sqlite::memory:");
  t.after(() => store.close());
  const { notifications } = store;
  for (const n of [1, 2, 3]) await notifications.create(waiting(n));
  await notifications.create(waiting(4, { kind: "other" }));
  await notifications.create(waiting(5, { dueAtMs: 10_000 }));
  await notifications.create(waiting(6, { plan: '{"steps":[]}' }));

  // As if killed after the newest had taken them in, before the others were marked.
  const [, , three] = await Promise.all([1, 2, 3].map((n) => notifications.find(`n${n}`)));
  await notifications.change("n3", 1, {
    count: 2,
    data: JSON.stringify({
      items: [three, { ...three, id: "n2", title: "like 2" }].map((r) => ({ id: r!.id, title: r!.title, body: "" })),
    }),
  });
  const first = await notifications.find("n1");
  const digest = await foldDigest(notifications, first!, 200);
  assert.equal(digest?.id, "n3");
  assert.equal(digest?.count, 3);
  const { items } = JSON.parse(digest?.data ?? "") as { items: { id: string }[] };
  assert.deepEqual(items.map(({ id }) => id).sort(), ["n1", "n2", "n3"]);
  const statuses = await Promise.all([1, 2, 3, 4, 5, 6].map(async (n) => (await notifications.find(`n${n}`))?.status));
  assert.deepEqual(statuses, ["digested", "digested", "waiting", "waiting", "waiting", "waiting"]);
});
