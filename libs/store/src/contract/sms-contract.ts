import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SmsRecord } from "../sms.ts";
import { oddNames, uniqueId } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

function sms(changes: Partial<SmsRecord> = {}): SmsRecord {
  const id = uniqueId("sms");
  return {
    id,
    to: "+15550100000",
    text: "Your account was debited",
    kind: "transactional",
    onUnknown: "settle",
    idempotencyKey: `key of ${id}`,
    digest: "d1",
    status: "queued",
    attempts: 0,
    provider: null,
    providerId: null,
    error: null,
    createdAtMs: 1_760_000_000_000,
    updatedAtMs: 1_760_000_000_000,
    dueAtMs: null,
    version: 1,
    ...changes,
  };
}

export function smsContract(stores: ContractStores): void {
  describe("SMS", () => {
    test("[N1] a record is kept as it was, and found by id, key and provider's name", async () => {
      for (const text of oddNames) {
        const record = sms({ text, idempotencyKey: `odd ${text} ${uniqueId("")}`, error: text, dueAtMs: 5e12 });
        assert.deepEqual(await stores.store.sms.create(record), { record, created: true });
        assert.deepEqual(await stores.second.sms.find(record.id), record);
        assert.deepEqual(await stores.second.sms.findByKey(record.idempotencyKey), record);
      }
      const named = sms({ provider: "twilio", providerId: uniqueId("SM") });
      await stores.store.sms.create(named);
      assert.deepEqual(await stores.second.sms.findByProviderId("twilio", named.providerId!), named);
      assert.equal(await stores.second.sms.findByProviderId("webhook", named.providerId!), null);
      assert.equal(await stores.store.sms.find("absent"), null);
      assert.equal(await stores.store.sms.findByKey("absent"), null);
    });

    test("[N1] of twenty at once under one key one is stored, and all are answered with it", async () => {
      const key = uniqueId("key");
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 ? stores.store : stores.second).sms.create(sms({ idempotencyKey: key, text: `text ${i}` })),
        ),
      );
      assert.equal(answers.filter(({ created }) => created).length, 1);
      const kept = await stores.store.sms.findByKey(key);
      for (const { record } of answers) assert.deepEqual(record, kept);
    });

    test("a change needs the version it was thought of at: of many at once one happens", async () => {
      const record = sms({ error: "before" });
      await stores.store.sms.create(record);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          (i % 2 ? stores.store : stores.second).sms.change(record.id, 1, {
            status: "sending",
            attempts: i,
            error: null,
          }),
        ),
      );
      const done = answers.filter((answer) => answer !== null);
      assert.equal(done.length, 1);
      assert.deepEqual(done[0], await stores.second.sms.find(record.id));
      const { status, version, error, text } = done[0]!;
      assert.deepEqual(
        { status, version, error, text },
        { status: "sending", version: 2, error: null, text: record.text },
      );
      assert.equal(await stores.store.sms.change("absent", 1, { status: "sent" }), null);
    });

    test("records of a status are listed and counted, newest id first, page by page", async () => {
      const before = await stores.store.sms.count("failed");
      const ids: string[] = [];
      for (let i = 0; i < 7; i++) {
        const record = sms({ status: "failed", id: `zz-${uniqueId("")}-${i}` });
        ids.push(record.id);
        await stores.store.sms.create(record);
      }
      const listed: string[] = [];
      for (let last: string | null = null; listed.length < 7; ) {
        const page: SmsRecord[] = await stores.second.sms.list({ status: "failed", before: last, limit: 3 });
        listed.push(...page.map(({ id }) => id));
        last = page.at(-1)!.id;
      }
      assert.deepEqual(listed.slice(0, 7), ids.sort().reverse());
      assert.equal(await stores.second.sms.count("failed"), before + 7);
    });

    test("records for a number come by id, page by page, and no others", async () => {
      const to = `+1${uniqueId("").replace(/\D/g, "")}`;
      const mine: SmsRecord[] = [];
      for (let i = 0; i < 5; i++) {
        const record = sms({ to, id: `${uniqueId("to")}-${i}`, status: i % 2 ? "sent" : "failed" });
        mine.push(record);
        await stores.store.sms.create(record);
        await stores.store.sms.create(sms());
      }
      mine.sort((a, b) => (a.id < b.id ? -1 : 1));
      const first = await stores.second.sms.listTo(to, { after: null, limit: 3 });
      assert.deepEqual(first, mine.slice(0, 3));
      assert.deepEqual(await stores.second.sms.listTo(to, { after: first[2]!.id, limit: 3 }), mine.slice(3));
      assert.deepEqual(await stores.second.sms.listTo("+0", { after: null, limit: 3 }), []);
    });

    test("what is due comes longest due first; what nobody has to look at does not", async () => {
      const due = [30, 10, 20, 20].map((ms) => sms({ dueAtMs: ms }));
      for (const record of [...due, sms({ dueAtMs: 31 }), sms({ dueAtMs: null })])
        await stores.store.sms.create(record);
      const found = await stores.second.sms.due(30, { after: null, limit: 10 });
      assert.deepEqual(
        found.map(({ dueAtMs }) => dueAtMs),
        [10, 20, 20, 30],
      );
      const paged: (number | null)[] = [];
      for (let after: { dueAtMs: number; id: string } | null = null; ; ) {
        const page: SmsRecord[] = await stores.store.sms.due(30, { after, limit: 2 });
        const last = page.at(-1);
        if (!last) break;
        paged.push(...page.map(({ dueAtMs }) => dueAtMs));
        after = { dueAtMs: last.dueAtMs!, id: last.id };
      }
      assert.deepEqual(paged, [10, 20, 20, 30]);
      for (const { id } of due) await stores.store.sms.change(id, 1, { dueAtMs: null });
      assert.deepEqual(await stores.second.sms.due(30, { after: null, limit: 10 }), []);
    });

    test("records for a number are counted since a time", async () => {
      const to = `+1555${String(process.hrtime.bigint()).slice(-9)}`;
      for (const createdAtMs of [100, 200, 300]) await stores.store.sms.create(sms({ to, createdAtMs }));
      assert.equal(await stores.second.sms.countTo(to, 200), 2);
      assert.equal(await stores.second.sms.countTo("+0", 0), 0);
    });

    test("old records go once they are ended, at most `limit`; what is still to be done stays", async () => {
      const ended = [1, 2, 3].map(() => sms({ createdAtMs: 5 }));
      const waiting = sms({ createdAtMs: 5, dueAtMs: 9e15 });
      for (const record of [...ended, waiting]) await stores.store.sms.create(record);
      assert.equal(await stores.store.sms.removeOld(10, 2), 2);
      assert.equal(await stores.store.sms.removeOld(10, 100), 1);
      assert.equal(await stores.store.sms.removeOld(10, 100), 0);
      assert.deepEqual(await stores.second.sms.find(waiting.id), waiting);
      assert.equal(await stores.second.sms.find(ended[0]!.id), null);
    });

    test("a number opts out, and in again", async () => {
      const number = "+15550123456";
      assert.equal(await stores.store.sms.isOptedOut(number), false);
      await stores.store.sms.addOptOut(number, 1);
      await stores.second.sms.addOptOut(number, 2);
      assert.equal(await stores.second.sms.isOptedOut(number), true);
      assert.equal(await stores.store.sms.removeOptOut(number), true);
      assert.equal(await stores.second.sms.removeOptOut(number), false);
      assert.equal(await stores.second.sms.isOptedOut(number), false);
    });
  });
}
