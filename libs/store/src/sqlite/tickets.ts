import type { TicketChanges, TicketRecord, TicketStatus } from "../tickets.ts";
import { recordTable } from "./columns.ts";
import type { Connection } from "./connection.ts";

/** TicketStore inside the thread; the port says what each does. */
export function ticketsTable({ db }: Connection) {
  const table = recordTable<TicketRecord>(db, "tickets", "room", {
    room: "room",
    asker: "asker",
    askerName: "asker_name",
    subject: "subject",
    status: "status",
    agent: "agent",
    rating: "rating",
    comment: "comment",
    clientKey: "client_key",
    openedAtMs: "opened_at",
    changedAtMs: "changed_at",
    version: "version",
  });
  const list = db.prepare(
    `${table.select} WHERE status = ?1 AND (?2 IS NULL OR asker = ?2) AND (?3 IS NULL OR room < ?3)
     ORDER BY room DESC LIMIT ?4`,
  );
  const changedSince = db.prepare(
    `${table.select} WHERE changed_at > ?1 OR (changed_at = ?1 AND (?2 IS NULL OR room > ?2))
     ORDER BY changed_at, room LIMIT ?3`,
  );

  const byKey = db.prepare(`${table.select} WHERE asker = ? AND client_key = ?`);
  const findByKey = (asker: string, clientKey: string): TicketRecord | null =>
    (byKey.get(asker, clientKey) as TicketRecord | undefined) ?? null;
  const forget = db.prepare(
    "UPDATE tickets SET asker_name = ?, subject = '', comment = NULL, version = version + 1 WHERE asker = ?",
  );

  return {
    forget: (asker: string, askerName: string): void => void forget.run(askerName, asker),
    create(ticket: TicketRecord): { ticket: TicketRecord; created: boolean } {
      const known = table.find(ticket.room) ?? findByKey(ticket.asker, ticket.clientKey);
      if (known !== null) return { ticket: known, created: false };
      table.insert(ticket);
      return { ticket, created: true };
    },
    find: table.find,
    findByKey,
    change: (room: string, version: number, changes: TicketChanges): TicketRecord | null =>
      table.change(room, version, changes),
    list: (options: {
      status: TicketStatus;
      asker: string | null;
      before: string | null;
      limit: number;
    }): TicketRecord[] =>
      list.all(options.status, options.asker, options.before, options.limit) as unknown as TicketRecord[],
    changedSince: (sinceMs: number, options: { after: string | null; limit: number }): TicketRecord[] =>
      changedSince.all(sinceMs, options.after, options.limit) as unknown as TicketRecord[],
  };
}
