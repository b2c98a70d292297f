import type { TicketRecord, TicketStore } from "../tickets.ts";
import type { MongoConnection } from "./connection.ts";
import type { Records } from "./records.ts";
import { afterLast, versioned } from "./versioned.ts";

export function mongoTickets(connection: MongoConnection, records: Records): TicketStore {
  const { call } = connection;
  const tickets = versioned<TicketRecord, "room">(connection, records, "tickets", "room");

  return {
    create: (ticket) =>
      call(async () => {
        const { room, asker, clientKey } = ticket;
        const { row } = await tickets.create(ticket, { $or: [{ _id: room }, { asker, clientKey }] });
        // The room is the id: what is there is another's, unless it is this very ticket.
        return { ticket: row, created: row === ticket };
      }),
    find: (room) => call(() => tickets.find(room)),
    findByKey: (asker, clientKey) => call(() => tickets.findOne({ asker, clientKey })),
    change: (room, version, changes) => call(() => tickets.change(room, version, changes)),
    list: ({ status, asker, before, limit }) =>
      call(() => {
        const whose = asker === null ? {} : { asker };
        const older = before === null ? {} : { _id: { $lt: before } };
        return tickets.list({ status, ...whose, ...older }, { _id: -1 }, limit);
      }),
    forget: (asker, askerName) =>
      call(async () => {
        const changes = { $set: { askerName, subject: "", comment: null }, $inc: { version: 1 } };
        await tickets.docs.updateMany({ asker }, changes as object);
      }),
    changedSince: (sinceMs, { after, limit }) =>
      call(() => {
        const later = after === null ? { changedAtMs: { $gte: sinceMs } } : afterLast("changedAtMs", sinceMs, after);
        return tickets.list(later, { changedAtMs: 1, _id: 1 }, limit);
      }),
  };
}
