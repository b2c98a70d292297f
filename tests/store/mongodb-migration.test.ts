import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, type TestContext, test } from "node:test";
import { openStore, type TicketRecord } from "@parley/store";
import { type Collection, MongoClient } from "mongodb";
import { startTestMongodb, whyNoMongodb, withDatabase } from "../support/start-mongodb.ts";

const skip = (await whyNoMongodb()) ?? false;
const server = skip === false ? await startTestMongodb({ after }) : null;

async function newDatabase(t: TestContext) {
  const url = withDatabase(server?.url ?? "", `migration-${randomUUID()}`);
  const client = await new MongoClient(url).connect();
  t.after(() => client.close());
  const meta = client.db().collection<{ _id: string; version: number }>("meta");
  return { url, meta, tickets: client.db().collection<TicketDoc>("tickets") };
}

interface TicketDoc {
  _id: string;
  clientKey?: string;
}

const ticketOf = (room: string, clientKey: string): TicketRecord => ({
  ...{ room, clientKey, asker: "ada", askerName: "Ada", subject: "My card", status: "open", agent: null, rating: null },
  ...{ comment: null, openedAtMs: 1_000, changedAtMs: 1_000, version: 1 },
});

/** As schema 1 kept it; the first ones had no key at all. */
function docOf({ room, clientKey, ...rest }: TicketRecord): TicketDoc {
  return clientKey === "" ? { _id: room, ...rest } : { _id: room, clientKey, ...rest };
}

/** The index of schema 1, where the server has such: over tickets with a key. */
async function makePartialIndex(tickets: Collection<TicketDoc>): Promise<void> {
  const partialFilterExpression = { clientKey: { $type: "string" } } as const;
  const keys = { asker: 1, clientKey: 1 } as const;
  await tickets
    .createIndex(keys, { name: "clientKey", unique: true, partialFilterExpression })
    .catch((error: Error) => assert.match(error.message, /not.*(implemented|supported)/i));
}

test("a database of schema 1 gets keys for the tickets that have none, and an index over them, from several workers at once", {
  skip,
}, async (t) => {
  const { url, meta, tickets } = await newDatabase(t);
  await meta.insertOne({ _id: "schema", version: 1 });
  await makePartialIndex(tickets);
  const keyed = ticketOf("keyed", "client:1");
  await tickets.insertMany([...["bare 1", "bare 2"].map((room) => ticketOf(room, "")), keyed].map(docOf));

  const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(url)));
  t.after(() => Promise.all(stores.map((store) => store.close())));
  for (const [i, store] of stores.entries()) {
    for (const room of ["bare 1", "bare 2"]) {
      const given = ticketOf(room, `room:${room}`);
      assert.deepEqual(await store.tickets.find(room), given);
      assert.deepEqual(await store.tickets.findByKey("ada", `room:${room}`), given);
    }
    const again = await store.tickets.create(ticketOf(`another ${i}`, "client:1"));
    assert.deepEqual(again, { ticket: keyed, created: false }, "the index is there");
  }
  const names = (await tickets.indexes()).map(({ name }) => name);
  assert.ok(names.includes("askersKey") && !names.includes("clientKey"), `indexes: ${names}`);
  assert.deepEqual(await meta.findOne({ _id: "schema" }), { _id: "schema", version: 2 });
});

test("a database that a newer version made is refused", { skip }, async (t) => {
  const { url, meta } = await newDatabase(t);
  await meta.insertOne({ _id: "schema", version: 99 });
  await assert.rejects(openStore(url), /has schema 99, this Parley knows up to 2/);
});
