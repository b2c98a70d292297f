/** The help centre: a ticket is a private room of its asker and the agents, with a record of who answers it and how it went. */
import { type Actor, type ChatAnswer, type ChatAsk, hasRight, helpDesk } from "@parley/bus";
import { Refusal, type TicketView } from "@parley/protocol";
import type { TicketChanges, TicketRecord } from "@parley/store";
import type { ChatDeps } from "./chat.ts";
import { digestOf, messageFields } from "./entry.ts";
import type { RoomState } from "./room-states.ts";

type Deps = Pick<ChatDeps, "store" | "rooms" | "deliver" | "appender" | "said" | "now">;
type Ask<Kind extends ChatAsk["kind"]> = Extract<ChatAsk, { kind: Kind }>;

/** Agents who get into a new ticket's room; the others see it in their list, and get in when they claim it. */
const agentsMax = 200;
const openPerAsker = 20;
const pageSize = 50;

const json = (value: unknown): ChatAnswer => ({ kind: "json", json: JSON.stringify(value) });
const isAgent = (user: Actor): boolean => hasRight(user.rights, "tickets");

function needAgent(user: Actor): void {
  if (!isAgent(user))
    throw new Refusal("forbidden", 'Only agents may do this: users whose token has the right "tickets"');
}

const viewOf = (ticket: TicketRecord): TicketView => ({
  room: ticket.room,
  subject: ticket.subject,
  status: ticket.status,
  asker: { id: ticket.asker, name: ticket.askerName },
  agent: ticket.agent,
  rating: ticket.rating,
  comment: ticket.comment,
  openedAt: new Date(ticket.openedAtMs).toISOString(),
  changedAt: new Date(ticket.changedAtMs).toISOString(),
});

/** The desk's room; only agents, or the operator, put people into it. */
async function desk(deps: Deps): Promise<RoomState> {
  const { state } = await deps.rooms.make(helpDesk, { visibility: "private", title: "Help desk" });
  if (state.record.visibility !== "private")
    throw new Refusal("forbidden", `The room ${helpDesk} must be private: its members are told of all tickets`);
  return state;
}

async function agents(deps: Deps): Promise<string[]> {
  const members = await deps.store.rooms.members((await desk(deps)).key, { after: null, limit: agentsMax });
  return members.map(({ user }) => user);
}

async function addMember(deps: Deps, state: RoomState, user: string): Promise<void> {
  const { wasMember } = await deps.store.rooms.putMember(state.key, user, { member: true }, deps.now());
  if (wasMember) return;
  deps.rooms.setMember(state, user, true);
  state.memberCount++;
  deps.deliver.roomChanged(state.name);
  deps.deliver.order({ order: "membership", user, room: state.name, member: true });
}

/** The ticket's news, for its asker and the agents. */
async function tell(deps: Deps, ticket: TicketRecord): Promise<void> {
  const users = new Set([ticket.asker, ...(await agents(deps))]);
  if (ticket.agent !== null) users.add(ticket.agent);
  const frame = JSON.stringify({ eventType: "ServerEvent", event: "ticket", room: ticket.room, data: viewOf(ticket) });
  deps.deliver.order({ order: "users", users: [...users], frame });
}

/** A line of the help centre's own in the ticket's log. Said once, however often it is repeated: by its id. */
async function note(deps: Deps, state: RoomState, id: string, text: string): Promise<void> {
  await deps.appender.append(state, {
    kind: "system",
    sender: "system",
    senderJson: '{"id":"system","name":"Help centre"}',
    clientMessageId: id,
    digest: digestOf("system", text),
    target: null,
    fieldsJson: messageFields(text, "null", null),
  });
}

export async function openTicket(deps: Deps, request: Ask<"openTicket">): Promise<ChatAnswer> {
  const { user, subject, text, clientTicketId } = request;
  if (!hasRight(user.rights, "send")) throw new Refusal("forbidden", "Your token does not let you send");
  const clientKey = clientTicketId === null ? `room:${request.room}` : `client:${clientTicketId}`;
  const known = await deps.store.tickets.findByKey(user.id, clientKey);
  if (!known) {
    const mine = { asker: user.id, before: null, limit: openPerAsker };
    const open = await deps.store.tickets.list({ status: "open", ...mine });
    if (open.length >= openPerAsker)
      throw new Refusal("forbidden", `You have ${openPerAsker} open tickets: close some first`);
  }
  // Each step may be done again by a repeat: the name makes it the same ticket.
  const room = known?.room ?? request.room;
  const { state } = await deps.rooms.make(room, { visibility: "private", title: subject });
  const nowMs = deps.now();
  const { ticket } = await deps.store.tickets.create({
    ...{ room, clientKey, subject, asker: user.id, askerName: user.name, status: "open" },
    ...{ agent: null, rating: null, comment: null, openedAtMs: nowMs, changedAtMs: nowMs, version: 1 },
  });
  if (ticket.room !== room) {
    // The same ticket, sent twice, was made at the same moment by another worker: nobody has seen this room.
    await deps.store.rooms.delete(room);
    return openTicket(deps, request);
  }
  if (ticket.subject !== subject) throw new Refusal("conflict", "This clientTicketId was used for another ticket");
  await addMember(deps, state, user.id);
  for (const agent of await agents(deps)) if (agent !== user.id) await addMember(deps, state, agent);
  await deps.appender.append(state, {
    kind: "message",
    sender: user.id,
    senderJson: JSON.stringify({ id: user.id, name: user.name }),
    clientMessageId: "open",
    digest: digestOf("message", text, "null", null),
    target: null,
    fieldsJson: messageFields(text, "null", null),
  });
  await tell(deps, ticket);
  return json({ room });
}

/** Agents see all, and are from then on told of new ones; others see their own. */
export async function listTickets(deps: Deps, { user, status, next }: Ask<"tickets">): Promise<ChatAnswer> {
  const agent = isAgent(user);
  if (agent) await addMember(deps, await desk(deps), user.id);
  const options = { status, asker: agent ? null : user.id, before: next, limit: pageSize };
  const tickets = await deps.store.tickets.list(options);
  const last = tickets.length === pageSize ? (tickets.at(-1)?.room ?? null) : null;
  return json({ tickets: tickets.map(viewOf), next: last, agent });
}

/** The ticket and its room, for who may know of them. */
async function present(deps: Deps, user: Actor, room: string): Promise<{ ticket: TicketRecord; state: RoomState }> {
  const ticket = await deps.store.tickets.find(room);
  const state = ticket && (await deps.rooms.load(room));
  if (!ticket || !state || (ticket.asker !== user.id && !isAgent(user)))
    throw new Refusal("forbidden", "This ticket does not exist, or you may not see it");
  return { ticket, state };
}

/** Changes the ticket as `decide` says of it as it is now; null: it stays. */
async function change(
  deps: Deps,
  first: TicketRecord,
  decide: (ticket: TicketRecord) => TicketChanges | null,
): Promise<{ ticket: TicketRecord; changed: boolean }> {
  for (let ticket = first; ; ) {
    const changes = decide(ticket);
    if (changes === null) return { ticket, changed: false };
    const atMs = Math.max(deps.now(), ticket.changedAtMs);
    const changed = await deps.store.tickets.change(ticket.room, ticket.version, { ...changes, changedAtMs: atMs });
    if (changed) return { ticket: changed, changed: true };
    const again = await deps.store.tickets.find(ticket.room);
    if (!again) throw new Refusal("not_found", "This ticket is gone");
    ticket = again;
  }
}

export async function claimTicket(deps: Deps, { user, room }: Ask<"claimTicket">): Promise<ChatAnswer> {
  needAgent(user);
  const { ticket: before, state } = await present(deps, user, room);
  const { ticket, changed } = await change(deps, before, ({ status, agent }) => {
    if (status === "closed") throw new Refusal("room_closed", "This ticket is closed");
    if (agent === user.id) return null;
    if (agent !== null) throw new Refusal("conflict", "Another agent has claimed this ticket");
    return { status: "claimed", agent: user.id };
  });
  await addMember(deps, state, user.id);
  if (changed) await note(deps, state, `claim-${ticket.version}`, `${user.name} answers this ticket`);
  await tell(deps, ticket);
  return json(viewOf(ticket));
}

export async function handOverTicket(deps: Deps, { user, room, agent }: Ask<"handOverTicket">): Promise<ChatAnswer> {
  needAgent(user);
  const { ticket: before, state } = await present(deps, user, room);
  const at = await deps.store.rooms.member((await desk(deps)).key, agent);
  if (!at?.member) throw new Refusal("bad_request", "agent must be the id of an agent who has looked at the help desk");
  const { ticket, changed } = await change(deps, before, (ticket) => {
    if (ticket.status === "closed") throw new Refusal("room_closed", "This ticket is closed");
    return ticket.agent === agent ? null : { status: "claimed", agent };
  });
  await addMember(deps, state, agent);
  const [to] = await deps.store.users.find([agent]);
  if (changed) await note(deps, state, `hand-over-${ticket.version}`, `${to?.name ?? agent} answers this ticket now`);
  await tell(deps, ticket);
  return json(viewOf(ticket));
}

export async function closeTicket(deps: Deps, request: Ask<"closeTicket">): Promise<ChatAnswer> {
  const { user, room, rating, comment } = request;
  const { ticket: before, state } = await present(deps, user, room);
  if (rating !== null && before.asker !== user.id) throw new Refusal("forbidden", "Only its asker may rate a ticket");
  const { ticket } = await change(deps, before, (ticket) => {
    const rated = { ...(rating === null ? {} : { rating }), ...(comment === null ? {} : { comment }) };
    if (ticket.status === "closed" && Object.keys(rated).length === 0) return null;
    return { status: "closed", ...rated };
  });
  if (before.status !== "closed") await note(deps, state, "close", `${user.name} closed this ticket`);
  await deps.store.rooms.change(room, { closed: true });
  deps.rooms.changed(room);
  deps.deliver.roomChanged(room);
  await tell(deps, ticket);
  return json(viewOf(ticket));
}
