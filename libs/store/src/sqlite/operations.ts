import type { Connection } from "./connection.ts";
import { logTable } from "./log.ts";
import { roomsTable } from "./rooms.ts";
import { usersTable } from "./users.ts";

/** Everything the main thread may ask for, by name. */
export function storeOperations(connection: Connection) {
  const rooms = roomsTable(connection);
  const users = usersTable(connection);
  const log = logTable(connection, rooms.exists);
  const ping = connection.db.prepare("UPDATE pings SET n = n + 1");
  return {
    /** Run within the batch's one transaction. */
    writes: {
      append: log.append,
      trim: log.trim,
      createRoom: rooms.create,
      changeRoom: rooms.change,
      deleteRoom: (name: string): boolean => rooms.delete(name) !== null,
      putMember: rooms.putMember,
      removeMember: rooms.removeMember,
      markRead: rooms.markRead,
      putUser: users.put,
      touchUsers: users.touch,
      removeStaleGuests: users.removeStaleGuests,
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
    },
  };
}

export type Writes = ReturnType<typeof storeOperations>["writes"];
export type Reads = ReturnType<typeof storeOperations>["reads"];
