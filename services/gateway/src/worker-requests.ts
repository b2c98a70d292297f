/** A client's event as the request that its worker gets. */
import { type Actor, type ChatAsk, type NotifyRequest, newTicketRoom, type TimerRequest } from "@parley/bus";
import type { NotificationEvent, TicketEvent, TimerEvent } from "@parley/protocol";

export function timerRequest(user: Actor, event: TimerEvent, ask: string): TimerRequest {
  const { room } = event;
  switch (event.event) {
    case "StartTimer":
      return { kind: "start", room, user, ask, durationMs: event.durationMs };
    case "ResetTimer":
      return { kind: "reset", room, user, ask, durationMs: event.durationMs };
    case "StopTimer":
      return { kind: "stop", room, user, ask };
    case "GetTimer":
      return { kind: "get", room, user };
    case "SetTimer": {
      const { durationMs, cycle, control, notify } = event;
      return { kind: "set", room, user, ask, durationMs, cycle, control, notify };
    }
  }
}

export function notifyRequest({ id: user }: Actor, session: string, event: NotificationEvent): NotifyRequest {
  switch (event.event) {
    case "Notifications":
      return { kind: "list", user, next: event.next, unreadOnly: event.unreadOnly };
    case "ReadNotification":
      return { kind: "read", user, session, id: event.id };
    case "GetPreferences":
      return { kind: "preferences", user };
    case "SetPreferences":
      return { kind: "prefer", user, changes: event.changes };
  }
}

type TicketRequest = Extract<ChatAsk, { kind: "openTicket" | "tickets" | `${string}Ticket` }>;

export function ticketRequest(user: Actor, event: TicketEvent): TicketRequest {
  switch (event.event) {
    case "OpenTicket":
      return {
        ...{ kind: "openTicket", user, room: newTicketRoom(), subject: event.subject, text: event.text },
        clientTicketId: event.clientTicketId,
      };
    case "Tickets":
      return { kind: "tickets", user, status: event.status, next: event.next };
    case "ClaimTicket":
      return { kind: "claimTicket", user, room: event.room };
    case "HandOverTicket":
      return { kind: "handOverTicket", user, room: event.room, agent: event.agent };
    case "CloseTicket":
      return { kind: "closeTicket", user, room: event.room, rating: event.rating, comment: event.comment };
  }
}
