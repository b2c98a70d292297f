/** The help centre: what askers and agents ask for. */
import { Refusal } from "./errors.ts";
import { optional } from "./fields.ts";
import { limits } from "./limits.ts";
import { checkClientMessageId, checkName, checkRoomName, checkSeq, checkText, checkUserId } from "./names.ts";

export const ticketStatuses = ["open", "claimed", "closed"] as const;
export type TicketStatusName = (typeof ticketStatuses)[number];

export type TicketEvent =
  /** `clientTicketId`: the same one of the same user is the same ticket. */
  | { event: "OpenTicket"; subject: string; text: string; clientTicketId: string | null }
  | { event: "Tickets"; status: TicketStatusName; next: string | null }
  | { event: "ClaimTicket"; room: string }
  | { event: "HandOverTicket"; room: string; agent: string }
  /** The asker may rate it, now or after somebody else closed it: 1 to 5. */
  | { event: "CloseTicket"; room: string; rating: number | null; comment: string | null };

/** A ticket as clients see it; what is said in it is its room's log. */
export interface TicketView {
  room: string;
  subject: string;
  status: TicketStatusName;
  asker: { id: string; name: string };
  /** Id of the agent who answers it, or null. */
  agent: string | null;
  rating: number | null;
  comment: string | null;
  openedAt: string;
  changedAt: string;
}

export interface TicketsData {
  tickets: TicketView[];
  next: string | null;
  /** Whether the asker is an agent, and so sees all tickets. */
  agent: boolean;
}

function readRating(value: unknown): number {
  const rating = checkSeq(value, "rating", 1);
  if (rating > 5) throw new Refusal("bad_request", "rating must be a whole number from 1 to 5");
  return rating;
}

function readText(value: unknown): string {
  const text = checkText(value);
  if (text.trim() === "") throw new Refusal("bad_request", "text must not be empty");
  return text;
}

export const ticketDecoders: {
  [name in TicketEvent["event"]]: (fields: Record<string, unknown>) => TicketEvent;
} = {
  OpenTicket: ({ subject, text, clientTicketId }) => ({
    event: "OpenTicket",
    subject: checkName(subject, "subject", limits.ticketSubjectChars),
    text: readText(text),
    clientTicketId: optional(clientTicketId, (id) => checkClientMessageId(id, "clientTicketId")),
  }),
  Tickets: ({ status, next }) => ({
    event: "Tickets",
    next: optional(next, (value) => checkRoomName(value, "next")),
    status:
      optional(status, (value) => {
        const known = ticketStatuses.find((each) => each === value);
        if (!known) throw new Refusal("bad_request", `status must be one of ${ticketStatuses.join(", ")}`);
        return known;
      }) ?? "open",
  }),
  ClaimTicket: ({ room }) => ({ event: "ClaimTicket", room: checkRoomName(room) }),
  HandOverTicket: ({ room, agent }) => ({
    event: "HandOverTicket",
    room: checkRoomName(room),
    agent: checkUserId(agent, "agent"),
  }),
  CloseTicket: ({ room, rating, comment }) => ({
    event: "CloseTicket",
    room: checkRoomName(room),
    rating: optional(rating, readRating),
    comment: optional(comment, (value) => checkText(value, "comment")),
  }),
};
