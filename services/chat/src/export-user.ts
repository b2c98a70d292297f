/** All that is kept of a person, handed out as lines of JSON: what this service has, and what the one with notifications and SMS has. */
import { type KeptPage, type KeptRequest, subjects } from "@parley/bus";
import { ticketStatuses, Unavailable } from "@parley/protocol";
import type { Store, TicketRecord } from "@parley/store";
import type { ChatDeps } from "./chat.ts";
import { allRooms, entriesOf, personOf } from "./forget-user.ts";

const membershipsPerPage = 200;
const ticketsPerPage = 100;

/** What chat needs to ask the service that has the notifications. Rejects with Unavailable. */
export type AskKept = (request: KeptRequest) => Promise<KeptPage>;

const line = (what: object) => `${JSON.stringify(what)}\n`;

/**
 * Rejects with Unavailable before there is a line, where the other service is away: half an export would look like a whole one.
 * Nothing at all for somebody of whom nothing is kept.
 */
export async function exportUser(deps: ChatDeps, user: string, ask: AskKept): Promise<AsyncGenerator<string>> {
  const person = await personOf(deps.store, user);
  const request = { user, phones: person.phones };
  const firstPage = await ask({ ...request, next: null });
  return (async function* () {
    if (person.record) yield line({ user: person.record });
    yield* roomLines(deps, user);
    for (const status of ticketStatuses) yield* ticketLines(deps.store, user, status);
    for (let page = firstPage; ; page = await ask({ ...request, next: page.next })) {
      for (const each of page.lines) yield line(each);
      if (page.next === null) return;
    }
  })();
}

async function* roomLines({ store, rooms }: ChatDeps, user: string): AsyncGenerator<string> {
  for (let after: string | null = null; ; ) {
    const page = await store.rooms.roomsOf(user, { after, limit: membershipsPerPage });
    for (const { room, member } of page) yield line({ membership: { room: room.name, ...member } });
    if (page.length < membershipsPerPage) break;
    after = page[page.length - 1]?.room.name ?? null;
  }
  for await (const name of allRooms(store)) {
    const state = await rooms.load(name);
    if (!state) continue;
    for await (const entries of entriesOf(store, state.key, user))
      for (const { body } of entries) yield `{"entry":{"room":${state.nameJson},"entry":${body}}}\n`;
  }
}

async function* ticketLines(store: Store, asker: string, status: TicketRecord["status"]): AsyncGenerator<string> {
  for (let before: string | null = null; ; ) {
    const page = await store.tickets.list({ status, asker, before, limit: ticketsPerPage });
    for (const ticket of page) yield line({ ticket });
    if (page.length < ticketsPerPage) return;
    before = page[page.length - 1]?.room ?? null;
  }
}

/** Asks over the bus. */
export function createAskKept(bus: { request(subject: string, payload: string): Promise<{ json<T>(): T }> }): AskKept {
  return async (request) => {
    let page: Partial<KeptPage>;
    try {
      page = (await bus.request(subjects.kept(), JSON.stringify(request))).json<Partial<KeptPage>>();
    } catch (cause) {
      throw new Unavailable("No notify worker answered", { cause });
    }
    if (!page.lines || page.next === undefined) throw new Unavailable("The store of notifications and SMS is away");
    return { lines: page.lines, next: page.next };
  };
}
