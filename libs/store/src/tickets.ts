/** The help centre's tickets; what is said in one is its room's log. */

export type TicketStatus = "open" | "claimed" | "closed";

export interface TicketRecord {
  /** Name of its room, which is its id too. */
  room: string;
  asker: string;
  askerName: string;
  subject: string;
  status: TicketStatus;
  /** Who answers it; null until claimed. */
  agent: string | null;
  /** 1 to 5, of the asker; null until given. */
  rating: number | null;
  comment: string | null;
  /** Unique among the asker's: a ticket opened without a key gets one of its own. */
  clientKey: string;
  openedAtMs: number;
  changedAtMs: number;
  /** Grows by one with each change. */
  version: number;
}

export type TicketChanges = Partial<Pick<TicketRecord, "status" | "agent" | "rating" | "comment" | "changedAtMs">>;

export interface TicketStore {
  /** Takes who asked out of the user's tickets: `askerName` stands for the name, subject and comment go. */
  forget(asker: string, askerName: string): Promise<void>;
  /** Stores the ticket, or answers the one of this room, or of this asker and clientKey (`created:false`). */
  create(ticket: TicketRecord): Promise<{ ticket: TicketRecord; created: boolean }>;
  find(room: string): Promise<TicketRecord | null>;
  findByKey(asker: string, clientKey: string): Promise<TicketRecord | null>;
  /** Changes and bumps the version, where the ticket is at `version`; null where it is not, or absent. */
  change(room: string, version: number, changes: TicketChanges): Promise<TicketRecord | null>;
  /** Tickets of one status, descending by room, rooms < before; with `asker` only those of this user. */
  list(options: {
    status: TicketStatus;
    asker: string | null;
    before: string | null;
    limit: number;
  }): Promise<TicketRecord[]>;
  /** Tickets changed at `sinceMs` or later, ascending by (changedAtMs, room), those after (sinceMs, `after`) where given. */
  changedSince(sinceMs: number, options: { after: string | null; limit: number }): Promise<TicketRecord[]>;
}
