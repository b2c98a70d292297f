import type { Document } from "mongodb";
import type { NotificationRecord, NotificationStore, PreferencesRecord } from "../notifications.ts";
import type { MongoConnection } from "./connection.ts";
import type { Records } from "./records.ts";
import { afterLast, text, versioned } from "./versioned.ts";

type PreferencesDoc = Omit<PreferencesRecord, "user"> & { _id: string; rev: number };

/** Of the user's list: what has a position. */
const listed = { $type: "string" };

const forgetAtOnce = 1_000;

export function mongoNotifications(connection: MongoConnection, records: Records): NotificationStore {
  const { call, collection } = connection;
  const notifications = versioned<NotificationRecord, "id">(connection, records, "notifications", "id");
  const preferences = collection<PreferencesDoc>("preferences");
  const unreadOf = (user: string): Document => ({ user, position: listed, readAtMs: null });

  return {
    create: (record) =>
      call(async () => {
        const { user, dedupeKey } = record;
        const { row, created } = await notifications.create(record, { user, dedupeKey });
        return { record: row, created };
      }),
    find: (id) => call(() => notifications.find(id)),
    findByKey: (user, dedupeKey) => call(() => notifications.findOne({ user, dedupeKey })),
    change: (id, version, changes) => call(() => notifications.change(id, version, changes)),
    list: (user, { before, limit, unreadOnly }) =>
      call(() => {
        const position = before === null ? listed : { ...listed, $lt: before };
        const unread = unreadOnly ? { readAtMs: null } : {};
        return notifications.list({ user, position, ...unread }, { position: -1 }, limit);
      }),
    unread: (user) => call(() => notifications.docs.countDocuments(unreadOf(user))),
    markRead: (user, id, atMs) =>
      call(() => {
        const one = id === null ? {} : { _id: id };
        const filter = { ...unreadOf(user), ...one };
        const read = { $set: { readAtMs: atMs }, $inc: { version: 1 } };
        return records.updateAll(notifications.docs, filter, ({ readAtMs }) => readAtMs === null, read as object);
      }),
    ofKind: (user, kind, status, limit) => call(() => notifications.list({ user, kind, status }, { _id: -1 }, limit)),
    allOf: (user, { after, limit }) =>
      call(() => notifications.list({ user, ...(after === null ? {} : { _id: { $gt: after } }) }, { _id: 1 }, limit)),
    due: (atMs, { after, limit }) =>
      call(() => {
        const later = after === null ? {} : afterLast("dueAtMs", after.dueAtMs, after.id);
        return notifications.list({ dueAtMs: { $gte: 0, $lte: atMs }, ...later }, { dueAtMs: 1, _id: 1 }, limit);
      }),
    count: (status) => call(() => notifications.docs.countDocuments({ status } as object)),
    forget: (user) =>
      call(async () => {
        while ((await notifications.remove({ user }, { createdAtMs: 1 }, forgetAtOnce)) > 0);
        await preferences.deleteOne({ _id: user });
      }),
    removeOld: (createdBeforeMs, limit) =>
      call(() =>
        notifications.remove({ createdAtMs: { $lt: createdBeforeMs }, dueAtMs: null }, { createdAtMs: 1 }, limit),
      ),

    preferences: (user) =>
      call(async () => {
        const found = await preferences.findOne({ _id: user });
        return found === null ? null : { user, phone: found.phone, body: found.body };
      }),
    putPreferences: ({ user, phone, body }) =>
      call(async () => void (await records.decide(preferences, user, () => ({ phone, body })))),
    usersWithPhone: (phone, limit) =>
      call(async () => {
        const found = await preferences
          .find({ phone: text(phone) }, { projection: { _id: 1 } })
          .sort({ _id: 1 })
          .limit(limit)
          .toArray();
        return found.map(({ _id }) => _id);
      }),
  };
}
