/** The help centre's rooms: nobody makes one by using its name. */
import { randomBytes } from "node:crypto";

/** The private room whose members are the help centre's agents: those who are told of tickets. */
export const helpDesk = "help-desk";
const ticketPrefix = "ticket-";

/** A name for a new ticket's room; names sort by the time they were made at. */
export const newTicketRoom = (nowMs: number = Date.now()): string =>
  ticketPrefix + nowMs.toString(36).padStart(9, "0") + randomBytes(8).toString("hex");

export const isTicketRoom = (room: string): boolean => room.startsWith(ticketPrefix);
export const isHelpRoom = (room: string): boolean => room === helpDesk || isTicketRoom(room);
