/** History, MarkRead, Rooms, and what gateways ask to repair gaps and to tell of unread messages. */
import { type Actor, ByteWriter, type ChatAnswer, epochOf, hasRightIn } from "@parley/bus";
import { limits, Refusal } from "@parley/protocol";
import type { EntryKind, Membership } from "@parley/store";
import type { ChatDeps } from "./chat.ts";
import { encodeEntries } from "./deliver.ts";
import { fitPage, headOf } from "./membership.ts";
import { forbidden, need, type RoomState } from "./room-states.ts";

type Deps = Pick<ChatDeps, "store" | "rooms" | "deliver" | "askApplication">;
type Page = { before: number | null; after: number | null; limit: number };

const json = (value: string): ChatAnswer => ({ kind: "json", json: value });

async function readable(deps: Deps, user: Actor, room: string): Promise<RoomState> {
  need(user.rights, "join", room);
  await deps.askApplication?.("join", user.id, room);
  const state = await deps.rooms.load(room);
  if (!state) throw forbidden();
  await deps.rooms.access(state, user.id, user.rights);
  return state;
}

export async function history(deps: Deps, user: Actor, room: string, page: Page): Promise<ChatAnswer> {
  return json(await historyOf(deps, await readable(deps, user, room), page));
}

/** A page of a room's log as JSON `{room, entries, head, epoch, more}`. */
export async function historyOf(deps: Pick<ChatDeps, "store">, state: RoomState, page: Page): Promise<string> {
  const { log } = deps.store;
  const { before, after, limit } = page;
  const read =
    after === null ? await log.readBefore(state.key, before, limit) : await log.readAfter(state.key, after, limit);
  // Going back, what is cut must be the oldest: a page joins on to what the client has.
  const entries = after === null ? fitPage(read.reverse()).reverse() : fitPage(read);
  const head = await headOf(deps, state);
  const [heads] = after === null && entries.length > 0 ? await log.heads([state.key]) : [];
  const more =
    after === null
      ? (entries[0]?.seq ?? 0) > (heads?.start ?? 1) && entries.length > 0
      : (entries[entries.length - 1]?.seq ?? after) < head.seq;
  const bodies = entries.map(({ body }) => body).join(",");
  return `{"room":${state.nameJson},"entries":[${bodies}],"head":${head.seq},"epoch":"${epochOf(state.key)}","more":${more}}`;
}

export async function markRead(
  deps: Deps,
  user: Actor,
  session: string,
  room: string,
  seq: number,
): Promise<ChatAnswer> {
  const state = await readable(deps, user, room);
  if (!(await deps.rooms.isMember(state, user.id))) throw forbidden();
  const head = await headOf(deps, state);
  if (seq > head.seq) throw new Refusal("bad_request", `seq is past the room's head, ${head.seq}`);
  const count = seq === head.seq ? head.count : ((await deps.store.log.get(state.key, seq))?.count ?? 0);
  const mark = await deps.store.rooms.markRead(state.key, user.id, seq, count);
  if (!mark) throw forbidden();
  const [unread = 0] = await deps.store.rooms.unread([{ key: state.key, user: user.id }]);
  const data = `{"room":${state.nameJson},"seq":${mark.seq},"unread":${unread}}`;
  const frame = `{"eventType":"ServerEvent","event":"read","room":${state.nameJson},"data":{"user":${JSON.stringify({ id: user.id, name: user.name })},"seq":${mark.seq},"unread":${unread}}}`;
  if (mark.seq === seq) {
    deps.deliver.order({ order: "users", users: [user.id], frame, exceptSession: session });
    if (state.record.receipts)
      deps.deliver.passing(state, "read", JSON.stringify({ user: { id: user.id, name: user.name }, seq }), session);
  }
  return json(data);
}

const roomsPerPage = 50;

/** The user's rooms, by name, with what is unread and the newest entry of each. */
export async function listRooms(deps: Deps, user: Actor, next: string | null): Promise<ChatAnswer> {
  const page = await deps.store.rooms.roomsOf(user.id, { after: next, limit: roomsPerPage + 1 });
  const visible = ({ room, member }: Membership) => !member.banned && hasRightIn(user.rights, "join", room.name);
  const shown = page.slice(0, roomsPerPage).filter(visible);
  const keys = shown.map(({ room }) => room.key);
  const [heads, unread, lasts] = await Promise.all([
    deps.store.log.heads(keys),
    deps.store.rooms.unread(keys.map((key) => ({ key, user: user.id }))),
    Promise.all(keys.map((key) => deps.store.log.readBefore(key, null, 1))),
  ]);
  const listed = shown.map(({ room, member }, i) => ({
    name: room.name,
    body: `{"room":${JSON.stringify(room.name)},"head":${heads[i]?.seq ?? 0},"lastRead":${member.lastRead},"unread":${unread[i] ?? 0},"last":${lasts[i]?.[0]?.body ?? "null"}}`,
  }));
  // Fifty newest entries can be more than one answer may hold.
  const fit = fitPage(listed);
  let after: string | null = null;
  if (fit.length < listed.length) after = fit[fit.length - 1]?.name ?? null;
  else if (page.length > roomsPerPage) after = page[roomsPerPage - 1]?.room.name ?? null;
  return json(`{"rooms":[${fit.map(({ body }) => body).join(",")}],"next":${JSON.stringify(after)}}`);
}

/** Entries after `after` as records for a gateway that missed them. */
export async function fillGap(deps: Deps, room: string, after: number): Promise<ChatAnswer> {
  const state = await deps.rooms.load(room);
  if (!state) return { kind: "bytes", bytes: new Uint8Array() };
  const page = fitPage(await deps.store.log.readAfter(state.key, after, limits.entriesPerAnswer));
  const writer = new ByteWriter(1024);
  encodeEntries(
    writer,
    state,
    page.map(({ seq, body }) => ({ seq, kind: kindIn(body), body })),
  );
  return { kind: "bytes", bytes: writer.take() };
}

/** Bodies are made by encodeBody, whose second member is the kind. */
function kindIn(body: string): EntryKind {
  const start = body.indexOf('"kind":"') + 8;
  return body.slice(start, body.indexOf('"', start)) as EntryKind;
}

/** `[key, seq]` of each room; null for one that is gone. */
export async function headsOf(deps: Deps, rooms: string[]): Promise<ChatAnswer> {
  const states = await Promise.all(rooms.map((room) => deps.rooms.load(room)));
  const present = states.filter((state) => state !== null);
  const heads = await deps.store.log.heads(present.map(({ key }) => key));
  const byKey = new Map(present.map((state, i) => [state.key, heads[i]?.seq ?? 0]));
  return json(JSON.stringify(states.map((state) => state && [state.key, byKey.get(state.key)])));
}

export async function unreadOf(deps: Deps, items: { room: string; user: string }[]): Promise<ChatAnswer> {
  const states = await Promise.all(items.map(({ room }) => deps.rooms.load(room)));
  const asked = items.flatMap(({ user }, i) => {
    const key = states[i]?.key;
    return key === undefined ? [] : [{ i, key, user }];
  });
  const counts = await deps.store.rooms.unread(asked);
  const unread = items.map(() => 0);
  asked.forEach(({ i }, n) => {
    unread[i] = counts[n] ?? 0;
  });
  return json(JSON.stringify(unread));
}
