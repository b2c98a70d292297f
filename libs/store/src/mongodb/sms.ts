import type { SmsRecord, SmsStore } from "../sms.ts";
import { isDuplicate, type MongoConnection } from "./connection.ts";
import type { Records } from "./records.ts";
import { afterLast, text, versioned } from "./versioned.ts";

const forgetAtOnce = 1_000;

export function mongoSms(connection: MongoConnection, records: Records): SmsStore {
  const { call, collection } = connection;
  const sms = versioned<SmsRecord, "id">(connection, records, "sms", "id");
  const optOuts = collection<{ _id: string; atMs: number }>("smsOptOuts");

  return {
    create: (record) =>
      call(async () => {
        const { row, created } = await sms.create(record, { idempotencyKey: record.idempotencyKey });
        return { record: row, created };
      }),
    find: (id) => call(() => sms.find(id)),
    findByKey: (idempotencyKey) => call(() => sms.findOne({ idempotencyKey })),
    findByProviderId: (provider, providerId) => call(() => sms.findOne({ provider, providerId: text(providerId) })),
    change: (id, version, changes) => call(() => sms.change(id, version, changes)),
    list: ({ status, before, limit }) =>
      call(() => sms.list({ status, ...(before === null ? {} : { _id: { $lt: before } }) }, { _id: -1 }, limit)),
    due: (atMs, { after, limit }) =>
      call(() => {
        const later = after === null ? {} : afterLast("dueAtMs", after.dueAtMs, after.id);
        return sms.list({ dueAtMs: { $gte: 0, $lte: atMs }, ...later }, { dueAtMs: 1, _id: 1 }, limit);
      }),
    count: (status) => call(() => sms.docs.countDocuments({ status } as object)),
    countTo: (to, sinceMs) => call(() => sms.docs.countDocuments({ to, createdAtMs: { $gte: sinceMs } } as object)),
    listTo: (to, { after, limit }) =>
      call(() => sms.list({ to, ...(after === null ? {} : { _id: { $gt: after } }) }, { _id: 1 }, limit)),
    forget: (to) =>
      call(async () => {
        while ((await sms.remove({ to }, { createdAtMs: 1 }, forgetAtOnce)) > 0);
      }),
    removeOld: (createdBeforeMs, limit) =>
      call(() => sms.remove({ createdAtMs: { $lt: createdBeforeMs }, dueAtMs: null }, { createdAtMs: 1 }, limit)),

    addOptOut: (number, atMs) =>
      call(async () => {
        try {
          await optOuts.insertOne({ _id: number, atMs });
        } catch (error) {
          if (!isDuplicate(error)) throw error;
        }
      }),
    removeOptOut: (number) => call(async () => (await optOuts.deleteOne({ _id: number })).deletedCount === 1),
    isOptedOut: (number) => call(async () => (await optOuts.findOne({ _id: number })) !== null),
  };
}
