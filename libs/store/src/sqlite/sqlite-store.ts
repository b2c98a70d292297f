import type { Store } from "../store.ts";
import { startThread } from "./thread-client.ts";

export interface SqliteOptions {
  /** How long a call waits for other processes' writes before StoreUnavailable; 5 s unless set. */
  busyTimeoutMs?: number;
  /** The file's size at most, in pages of 4 KiB; no bound unless set. */
  maxPages?: number;
  /**
   * Appends wait in a journal until there are this many bytes of them, and are then sorted into the rooms' blocks. More
   * costs memory in each process, less costs writes; 16 MiB unless set.
   */
  foldBytes?: number;
  /** Entries sorted in one step at least; 500 unless set, for which other calls wait about 2 ms. */
  foldEntries?: number;
}

/** The SQLite adapter of Store; `path` is absolute or ":memory:". Rejects with StoreUnavailable when it can't be opened. */
export async function openSqliteStore(path: string, options: SqliteOptions = {}): Promise<Store> {
  const { append, write, read, close } = await startThread({
    path,
    busyTimeoutMs: options.busyTimeoutMs ?? 5_000,
    maxPages: options.maxPages ?? null,
    foldBytes: options.foldBytes ?? 16 * 1_048_576,
    foldEntries: options.foldEntries ?? 500,
  });
  return {
    log: {
      append,
      heads: (keys) => read("heads", keys),
      readAfter: (key, after, limit) => read("readAfter", key, after, limit),
      readBefore: (key, before, limit) => read("readBefore", key, before, limit),
      get: (key, seq) => read("get", key, seq),
      find: (key, ids) => read("find", key, ids),
      editsOf: (key, target) => read("editsOf", key, target),
      trim: (key, keepFromSeq, limit) => write("trim", key, keepFromSeq, limit),
      firstSince: (key, atMs) => read("firstSince", key, atMs),
    },
    rooms: {
      find: (names) => read("findRooms", names),
      create: (room) => write("createRoom", room),
      change: (name, changes) => write("changeRoom", name, changes),
      delete: (name) => write("deleteRoom", name),
      list: (options) => read("listRooms", options),
      withRetention: () => read("roomsWithRetention"),
      member: (key, user) => read("member", key, user),
      putMember: (key, user, changes, atMs) => write("putMember", key, user, changes, atMs),
      removeMember: (key, user) => write("removeMember", key, user),
      members: (key, options) => read("members", key, options),
      countMembers: (key) => read("countMembers", key),
      exceptions: (key) => read("exceptions", key),
      roomsOf: (user, options) => read("roomsOf", user, options),
      markRead: (key, user, seq, count) => write("markRead", key, user, seq, count),
      unread: (items) => read("unread", items),
    },
    users: {
      put: (user) => write("putUser", user),
      create: (user) => write("createUser", user),
      change: (id, changes) => write("changeUser", id, changes),
      find: (ids) => read("findUsers", ids),
      touch: (ids, atMs) => write("touchUsers", ids, atMs),
      removeStaleGuests: (beforeMs, limit) => write("removeStaleGuests", beforeMs, limit),
    },
    sms: {
      forget: (to) => write("forgetSms", to),
      create: (record) => write("createSms", record),
      find: (id) => read("findSms", id),
      findByKey: (idempotencyKey) => read("findSmsByKey", idempotencyKey),
      findByProviderId: (provider, providerId) => read("findSmsByProviderId", provider, providerId),
      change: (id, version, changes) => write("changeSms", id, version, changes),
      list: (options) => read("listSms", options),
      due: (atMs, options) => read("dueSms", atMs, options),
      count: (status) => read("countSms", status),
      listTo: (to, options) => read("listSmsTo", to, options),
      countTo: (to, sinceMs) => read("countSmsTo", to, sinceMs),
      removeOld: (createdBeforeMs, limit) => write("removeOldSms", createdBeforeMs, limit),
      addOptOut: (number, atMs) => write("addOptOut", number, atMs),
      removeOptOut: (number) => write("removeOptOut", number),
      isOptedOut: (number) => read("isOptedOut", number),
    },
    notifications: {
      forget: (user) => write("forgetNotifications", user),
      create: (record) => write("createNotification", record),
      find: (id) => read("findNotification", id),
      findByKey: (user, dedupeKey) => read("findNotificationByKey", user, dedupeKey),
      change: (id, version, changes) => write("changeNotification", id, version, changes),
      list: (user, options) => read("listNotifications", user, options),
      unread: (user) => read("unreadNotifications", user),
      markRead: (user, id, atMs) => write("markNotificationsRead", user, id, atMs),
      allOf: (user, options) => read("allNotificationsOf", user, options),
      ofKind: (user, kind, status, limit) => read("notificationsOfKind", user, kind, status, limit),
      due: (atMs, options) => read("dueNotifications", atMs, options),
      count: (status) => read("countNotifications", status),
      removeOld: (createdBeforeMs, limit) => write("removeOldNotifications", createdBeforeMs, limit),
      preferences: (user) => read("preferences", user),
      putPreferences: (preferences) => write("putPreferences", preferences),
      usersWithPhone: (phone, limit) => read("usersWithPhone", phone, limit),
    },
    tickets: {
      forget: (asker, askerName) => write("forgetTickets", asker, askerName),
      create: (ticket) => write("createTicket", ticket),
      find: (room) => read("findTicket", room),
      findByKey: (asker, clientKey) => read("findTicketByKey", asker, clientKey),
      change: (room, version, changes) => write("changeTicket", room, version, changes),
      list: (options) => read("listTickets", options),
      changedSince: (sinceMs, options) => read("ticketsChangedSince", sinceMs, options),
    },
    timers: {
      find: (rooms) => read("findTimers", rooms),
      put: (record, before = record.version - 1) => write("putTimer", record, before),
      list: (options) => read("listTimers", options),
      active: (partitions, endedSinceMs) => read("activeTimers", partitions, endedSinceMs),
    },
    revocations: {
      put: (subject, beforeMs) => write("putRevocation", subject, beforeMs),
      find: (subjects) => read("findRevocations", subjects),
    },
    ping: () => write("ping"),
    close,
  };
}
