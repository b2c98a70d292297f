import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TicketRecord } from "../tickets.ts";
import { oddNames, uniqueId } from "./samples.ts";
import type { ContractStores } from "./store-contract.ts";

function ticket(changes: Partial<TicketRecord> = {}): TicketRecord {
  const room = changes.room ?? uniqueId("ticket");
  return {
    room,
    clientKey: `room:${room}`,
    asker: "ada",
    askerName: "Ada",
    subject: "My card",
    status: "open",
    agent: null,
    rating: null,
    comment: null,
    openedAtMs: 1_000,
    changedAtMs: 1_000,
    version: 1,
    ...changes,
  };
}

export function ticketsContract(stores: ContractStores): void {
  describe("tickets", () => {
    test("a ticket is kept as it was; a second one of its room is the first", async () => {
      for (const odd of oddNames) {
        const record = ticket({ asker: odd, askerName: odd, subject: odd, comment: odd });
        assert.deepEqual(await stores.store.tickets.create(record), { ticket: record, created: true });
        const again = await stores.second.tickets.create({ ...record, subject: "another" });
        assert.deepEqual(again, { ticket: record, created: false });
        assert.deepEqual(await stores.second.tickets.find(record.room), record);
      }
      assert.equal(await stores.store.tickets.find("absent"), null);
    });

    test("of many at once under one asker's key one is stored, whatever their rooms; another asker's is another", async () => {
      const asker = uniqueId("asker");
      const clientKey = "client:1";
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          (i % 2 ? stores.store : stores.second).tickets.create(ticket({ asker, clientKey })),
        ),
      );
      assert.equal(answers.filter(({ created }) => created).length, 1);
      const kept = await stores.second.tickets.findByKey(asker, clientKey);
      for (const each of answers) assert.deepEqual(each.ticket, kept);
      const other = await stores.store.tickets.create(ticket({ asker: uniqueId("asker"), clientKey }));
      assert.equal(other.created, true);
      assert.equal(await stores.store.tickets.findByKey(asker, "client:2"), null);
    });

    test("of two agents who claim at once one gets it", async () => {
      const record = ticket();
      await stores.store.tickets.create(record);
      const claims = await Promise.all(
        ["ann", "ben"].map((agent, i) =>
          (i ? stores.store : stores.second).tickets.change(record.room, 1, {
            agent,
            status: "claimed",
            changedAtMs: 2_000,
          }),
        ),
      );
      const claimed = claims.filter((claim) => claim !== null);
      assert.equal(claimed.length, 1);
      assert.equal(claimed[0]!.version, 2);
      assert.deepEqual(await stores.second.tickets.find(record.room), claimed[0]);
    });

    test("tickets are listed by status and asker, newest room first", async () => {
      const asker = uniqueId("asker");
      const rooms = ["t1", "t2", "t3"].map((name) => `${asker}-${name}`);
      for (const room of rooms) await stores.store.tickets.create(ticket({ room, asker }));
      await stores.store.tickets.create(ticket({ asker, status: "closed" }));
      const found = async (before: string | null, limit: number) =>
        (await stores.second.tickets.list({ status: "open", asker, before, limit })).map(({ room }) => room);
      assert.deepEqual(await found(null, 10), [...rooms].reverse());
      assert.deepEqual(await found(rooms[2]!, 1), [rooms[1]]);
      const all = await stores.second.tickets.list({ status: "closed", asker: null, before: null, limit: 100 });
      assert.ok(all.some((one) => one.asker === asker));
    });

    test("changes are followed by time, without losing those of one moment", async () => {
      const atMs = 4_000_000_000_000;
      const rooms = ["c1", "c2", "c3"].map((name) => `${uniqueId("")}-${name}`).sort();
      for (const room of rooms) await stores.store.tickets.create(ticket({ room, changedAtMs: atMs }));
      await stores.store.tickets.create(ticket({ room: `${rooms[0]}-later`, changedAtMs: atMs + 1 }));
      const seen: string[] = [];
      for (let since = atMs, after: string | null = null; ; ) {
        const page: TicketRecord[] = await stores.second.tickets.changedSince(since, { after, limit: 2 });
        const last = page.at(-1);
        if (!last) break;
        seen.push(...page.map(({ room }) => room));
        since = last.changedAtMs;
        after = last.room;
      }
      assert.deepEqual(seen, [...rooms, `${rooms[0]}-later`]);
    });
  });
}
