import type { Db, Document, IndexDescription, MongoServerError } from "mongodb";
import { isDuplicate, type MongoConnection } from "./connection.ts";
import { codes } from "./errors.ts";
import type { Records } from "./records.ts";

/** Grows with each change of what is below; a store that a newer Parley made is refused. */
const version = 2;

interface CollectionSchema {
  /** BSON types of the fields that each document has. */
  required: Record<string, string | string[]>;
  indexes: IndexDescription[];
}

const number = ["int", "long", "double"];

const segments: CollectionSchema = {
  required: {
    ...{ _id: "string", key: number, writer: "string", rev: number, from: number, last: number, count: number },
    ...{ maxAtMs: number, ids: "array", senders: "array", facts: "string", bodies: "array" },
  },
  indexes: [
    // Of the room and each of the ids: a repeated clientMessageId is refused by the server.
    { name: "ids", key: { key: 1, ids: 1 }, unique: true },
    { name: "senders", key: { key: 1, senders: 1, last: 1 } },
    { name: "edits", key: { key: 1, edits: 1 }, partialFilterExpression: { edits: { $exists: true } } },
    { name: "redact", key: { redact: 1 }, partialFilterExpression: { redact: { $exists: true } } },
    { name: "ends", key: { expireAt: 1 }, expireAfterSeconds: 0 },
  ],
};

const collections: Record<string, CollectionSchema> = {
  log: segments,
  rooms: {
    required: {
      ...{ _id: "string", key: number, visibility: "string", closed: "bool", receipts: "bool", createdAtMs: number },
      ...{ version: number, rev: number },
    },
    indexes: [
      { name: "key", key: { key: 1 } },
      { name: "retentionMs", key: { retentionMs: 1 }, partialFilterExpression: { retentionMs: { $gt: 0 } } },
      {
        name: "retentionEntries",
        key: { retentionEntries: 1 },
        partialFilterExpression: { retentionEntries: { $gt: 0 } },
      },
    ],
  },
  members: {
    required: {
      ...{ _id: "string", key: number, room: "string", user: "string", role: "string", member: "bool" },
      ...{
        mutedUntilMs: number,
        banned: "bool",
        joinedAtMs: number,
        lastRead: number,
        lastReadCount: number,
        rev: number,
      },
    },
    indexes: [
      { name: "room", key: { key: 1, member: 1, user: 1 } },
      { name: "user", key: { user: 1, member: 1, room: 1 } },
    ],
  },
  users: {
    required: { _id: "string", name: "string", guest: "bool", createdAtMs: number, lastSeenAtMs: number, rev: number },
    indexes: [{ name: "guests", key: { lastSeenAtMs: 1, _id: 1 }, partialFilterExpression: { guest: true } }],
  },
  timers: {
    required: {
      ...{ _id: "string", key: number, partition: number, state: "string", durationMs: number, remainingMs: number },
      ...{ settings: "string", version: number },
    },
    indexes: [
      { name: "running", key: { partition: 1, endsAtMs: 1 }, partialFilterExpression: { endsAtMs: { $gte: 0 } } },
      { name: "ended", key: { partition: 1, endedAtMs: 1 }, partialFilterExpression: { endedAtMs: { $gte: 0 } } },
    ],
  },
  tickets: {
    required: {
      ...{ _id: "string", asker: "string", clientKey: "string", subject: "string", status: "string" },
      ...{ openedAtMs: number, changedAtMs: number, version: number },
    },
    indexes: [
      { name: "askersKey", key: { asker: 1, clientKey: 1 }, unique: true },
      { name: "status", key: { status: 1, _id: 1 } },
      { name: "asker", key: { asker: 1, status: 1, _id: 1 } },
      { name: "changed", key: { changedAtMs: 1, _id: 1 } },
    ],
  },
  notifications: {
    required: {
      ...{ _id: "string", user: "string", kind: "string", title: "string", body: "string", dedupeKey: "string" },
      ...{ status: "string", plan: "string", count: number, createdAtMs: number, version: number },
    },
    indexes: [
      { name: "dedupeKey", key: { user: 1, dedupeKey: 1 }, unique: true },
      { name: "list", key: { user: 1, position: 1 }, partialFilterExpression: { position: { $type: "string" } } },
      { name: "kind", key: { user: 1, kind: 1, status: 1, _id: 1 } },
      { name: "status", key: { status: 1 } },
      { name: "due", key: { dueAtMs: 1, _id: 1 }, partialFilterExpression: { dueAtMs: { $gte: 0 } } },
      { name: "created", key: { createdAtMs: 1 } },
    ],
  },
  preferences: {
    required: { _id: "string", body: "string", rev: number },
    indexes: [{ name: "phone", key: { phone: 1, _id: 1 }, partialFilterExpression: { phone: { $type: "string" } } }],
  },
  sms: {
    required: {
      ...{ _id: "string", to: "string", text: "string", kind: "string", idempotencyKey: "string", digest: "string" },
      ...{ status: "string", attempts: number, createdAtMs: number, updatedAtMs: number, version: number },
    },
    indexes: [
      { name: "idempotencyKey", key: { idempotencyKey: 1 }, unique: true },
      { name: "status", key: { status: 1, _id: 1 } },
      {
        ...{ name: "providerId", key: { provider: 1, providerId: 1 } },
        partialFilterExpression: { providerId: { $type: "string" } },
      },
      { name: "due", key: { dueAtMs: 1, _id: 1 }, partialFilterExpression: { dueAtMs: { $gte: 0 } } },
      { name: "to", key: { to: 1, createdAtMs: 1 } },
      { name: "created", key: { createdAtMs: 1 } },
    ],
  },
  smsOptOuts: { required: { _id: "string", atMs: number }, indexes: [] },
  revocations: { required: { _id: "string", beforeMs: number }, indexes: [] },
  removals: { required: { _id: "string", kind: "string", atMs: number }, indexes: [] },
};

const isCode = (error: unknown, ...wanted: number[]): boolean =>
  wanted.includes(Number((error as MongoServerError | null)?.code));

function validatorOf({ required }: CollectionSchema): Document {
  const properties = Object.entries(required).map(([field, bsonType]) => [field, { bsonType }]);
  return {
    $jsonSchema: { bsonType: "object", required: Object.keys(required), properties: Object.fromEntries(properties) },
  };
}

async function makeCollection(db: Db, name: string, schema: CollectionSchema): Promise<void> {
  const validator = validatorOf(schema);
  try {
    await db.createCollection(name, { validator });
  } catch (error) {
    if (isCode(error, codes.namespaceExists)) await db.command({ collMod: name, validator });
    // Some servers check no documents: the adapter writes no wrong ones.
    else if (isCode(error, codes.notImplemented)) await makeBareCollection(db, name);
    else throw error;
  }
}

async function makeBareCollection(db: Db, name: string): Promise<void> {
  try {
    await db.createCollection(name);
  } catch (error) {
    if (!isCode(error, codes.namespaceExists)) throw error;
  }
}

/** What the server has no such index for is found without, and removed by the sweeper. */
async function makeIndex(db: Db, name: string, index: IndexDescription): Promise<void> {
  try {
    await db.collection(name).createIndexes([index]);
  } catch (error) {
    if (!isCode(error, codes.notImplemented)) throw error;
  }
}

/** Tickets that a Parley of schema 1 opened may have no key: each gets the one it would get now. */
async function giveTicketsKeys({ collection }: MongoConnection, records: Records): Promise<void> {
  const tickets = collection<{ _id: string; clientKey?: string }>("tickets");
  const without = tickets.find({ clientKey: { $exists: false } }, { projection: { _id: 1 } });
  // Once more by another worker is the same: nothing else gives such a ticket a key.
  for await (const { _id } of without) await records.update(tickets, _id, {}, { $set: { clientKey: `room:${_id}` } });
}

/** Schema 1 had this index over a part of the tickets, under a name of its own so that the present one is made beside it. */
async function dropPartialKeys({ db }: MongoConnection): Promise<void> {
  try {
    await db.collection("tickets").dropIndex("clientKey");
  } catch (error) {
    if (!isCode(error, codes.indexNotFound)) throw error;
  }
}

/** Brings the database to this version's schema. Each step may be taken twice, or by several workers at once. */
export async function migrate(connection: MongoConnection, records: Records): Promise<void> {
  const { db, collection, capabilities } = connection;
  const meta = collection<{ _id: string; version?: number; n?: number }>("meta");
  const there = (await meta.findOne({ _id: "schema" }))?.version ?? 0;
  if (there > version) {
    throw new Error(
      `The store "${db.databaseName}" has schema ${there}, this Parley knows up to ${version}: run the newer Parley that made it`,
    );
  }
  if (there === version) return;
  // A log spread over many collections lives by their `_id` alone, and each is made by its first segment.
  const made = Object.entries(collections).filter(([name]) => name !== "log" || capabilities.logCollections === 1);
  for (const [name, schema] of made) await makeCollection(db, name, schema);
  if (there === 1) await giveTicketsKeys(connection, records);
  for (const [name, { indexes }] of made) for (const index of indexes) await makeIndex(db, name, index);
  if (there === 1) await dropPartialKeys(connection);
  try {
    await meta.updateOne({ _id: "schema" }, { $max: { version } }, { upsert: true });
  } catch (error) {
    // Another worker made it.
    if (!isDuplicate(error)) throw error;
  }
}
