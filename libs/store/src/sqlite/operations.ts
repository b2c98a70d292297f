import { batchOf } from "./batch.ts";
import type { Connection } from "./connection.ts";
import { journalTable } from "./journal.ts";
import { logTable } from "./log.ts";
import { notificationsTable } from "./notifications.ts";
import { revocationsTable } from "./revocations.ts";
import { roomsTable } from "./rooms.ts";
import { smsTable } from "./sms.ts";
import { ticketsTable } from "./tickets.ts";
import { timersTable } from "./timers.ts";
import { usersTable } from "./users.ts";

/** Everything the main thread may ask for, by name, and the chores of the thread. */
export function storeOperations(connection: Connection) {
  const { db } = connection;
  const rooms = roomsTable(connection);
  const users = usersTable(connection);
  const sms = smsTable(connection);
  const notifications = notificationsTable(connection);
  const revocations = revocationsTable(connection);
  const tickets = ticketsTable(connection);
  const timers = timersTable(connection, (name) => rooms.find([name])[0]?.key ?? null);
  const journal = journalTable(connection);
  const log = logTable(connection, journal, rooms.exists);
  const ping = db.prepare("UPDATE pings SET n = n + 1");
  const nextDeleted = db.prepare("SELECT key FROM deleted_logs LIMIT 1");
  const purged = db.prepare("DELETE FROM deleted_logs WHERE key = ?");

  let received = new Uint8Array(0);
  /** The fold under way: logs to be folded before the journal's rows up to `upTo` can go. */
  let folding: { upTo: number; keys: number[] } | null = null;

  /** Runs `work` in a transaction with the journal's memory at its snapshot. */
  function inStep<T>(transaction: Connection["read"], work: () => T): T {
    try {
      return transaction(() => {
        journal.catchUp();
        const result = work();
        journal.flush();
        return result;
      });
    } catch (error) {
      journal.forget();
      folding = null;
      throw error;
    }
  }

  return {
    write: <T>(work: () => T): T => inStep(connection.write, work),
    writeUnsynced: <T>(work: () => T): T => inStep(connection.writeUnsynced, work),
    read: <T>(work: () => T): T => inStep(connection.read, work),

    /** The bytes that the following appends speak of. */
    receive(bytes: Uint8Array<ArrayBuffer>): void {
      received = bytes;
    },

    writes: {
      append: (start: number, sections: number) => log.append(batchOf(received, 0), start, sections),
      trim: log.trim,
      createRoom: rooms.create,
      changeRoom: rooms.change,
      deleteRoom(name: string): boolean {
        const key = rooms.delete(name);
        if (key !== null) log.delete(key);
        timers.remove(name);
        return key !== null;
      },
      putMember: rooms.putMember,
      removeMember: rooms.removeMember,
      markRead: rooms.markRead,
      putUser: users.put,
      createUser: users.create,
      changeUser: users.change,
      touchUsers: users.touch,
      removeStaleGuests: users.removeStaleGuests,
      createSms: sms.create,
      changeSms: sms.change,
      removeOldSms: sms.removeOld,
      addOptOut: sms.addOptOut,
      removeOptOut: sms.removeOptOut,
      forgetNotifications: notifications.forget,
      forgetSms: sms.forget,
      forgetTickets: tickets.forget,
      createNotification: notifications.create,
      changeNotification: notifications.change,
      markNotificationsRead: notifications.markRead,
      removeOldNotifications: notifications.removeOld,
      putPreferences: notifications.putPreferences,
      createTicket: tickets.create,
      changeTicket: tickets.change,
      putTimer: timers.put,
      putRevocation: revocations.put,
      ping: (): void => void ping.run(),
    },

    reads: {
      heads: log.heads,
      readAfter: log.readAfter,
      readBefore: log.readBefore,
      get: log.get,
      find: log.find,
      editsOf: log.editsOf,
      firstSince: log.firstSince,
      unread: log.unread,
      findRooms: rooms.find,
      listRooms: rooms.list,
      roomsWithRetention: rooms.withRetention,
      member: rooms.member,
      members: rooms.members,
      countMembers: rooms.countMembers,
      exceptions: rooms.exceptions,
      roomsOf: rooms.roomsOf,
      findUsers: users.find,
      findSms: sms.find,
      findSmsByKey: sms.findByKey,
      findSmsByProviderId: sms.findByProviderId,
      listSms: sms.list,
      dueSms: sms.due,
      countSms: sms.count,
      countSmsTo: sms.countTo,
      listSmsTo: sms.listTo,
      isOptedOut: sms.isOptedOut,
      findNotification: notifications.find,
      findNotificationByKey: notifications.findByKey,
      listNotifications: notifications.list,
      unreadNotifications: notifications.unread,
      notificationsOfKind: notifications.ofKind,
      allNotificationsOf: notifications.allOf,
      dueNotifications: notifications.due,
      countNotifications: notifications.count,
      preferences: notifications.preferences,
      usersWithPhone: notifications.usersWithPhone,
      findTicket: tickets.find,
      findTicketByKey: tickets.findByKey,
      listTickets: tickets.list,
      ticketsChangedSince: tickets.changedSince,
      findTimers: timers.find,
      listTimers: timers.list,
      activeTimers: timers.active,
      findRevocations: revocations.find,
    },

    chores: {
      unfolded: (): { entries: number; bytes: number } => journal.unfolded(),

      /**
       * Folds until `entries` entries were moved, or all that the journal had when this fold began; answers whether there
       * is more to do. Within a transaction.
       */
      fold(entries: number): boolean {
        const { logs, upTo } = journal.unfolded();
        folding ??= { upTo, keys: Array.from(logs, ({ key }) => key) };
        for (let left = entries; left > 0 && folding.keys.length > 0; ) {
          const next = journal.log(folding.keys.at(-1)!);
          left -= log.fold(next, left);
          const oldest = next.fresh[0];
          if (oldest === undefined || oldest.batch.journalId > folding.upTo) folding.keys.pop();
        }
        if (folding.keys.length > 0) return true;
        journal.setFolded(folding.upTo);
        folding = null;
        return false;
      },

      hasDeletedLogs: (): boolean => nextDeleted.get() !== undefined,

      /** Removes some rows of a deleted room's log. Within a transaction. */
      purge(rows: number): void {
        const row = nextDeleted.get() as { key: number } | undefined;
        if (row === undefined || !journal.blocks.purge(row.key, rows)) return;
        purged.run(row.key);
        // Again: its heads may have been asked for meanwhile.
        log.delete(row.key);
      },
    },
  };
}

export type StoreOperations = ReturnType<typeof storeOperations>;
export type Writes = StoreOperations["writes"];
export type Reads = StoreOperations["reads"];
