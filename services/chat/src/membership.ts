/** JoinRoom and LeaveRoom. */
import { type Actor, type ChatAnswer, epochOf } from "@parley/bus";
import { limits, type Resume } from "@parley/protocol";
import type { ChatDeps } from "./chat.ts";
import { forbidden, need, type RoomState } from "./room-states.ts";

type Deps = Pick<ChatDeps, "store" | "rooms" | "deliver" | "announceMembersMax" | "askApplication" | "now">;

/** Most bytes of entries in one answer: the rest is told as `truncated` (or `more`), and History gives it. */
const answerBytes = 256 * 1024;

/** Cuts a page to what one answer may hold; at least one entry stays. */
export function fitPage<T extends { body: string }>(entries: T[]): T[] {
  let bytes = 0;
  let fits = 0;
  for (const { body } of entries) {
    bytes += Buffer.byteLength(body);
    if (fits > 0 && bytes > answerBytes) break;
    fits++;
  }
  return fits === entries.length ? entries : entries.slice(0, fits);
}

export async function headOf(
  deps: Pick<ChatDeps, "store">,
  state: RoomState,
): Promise<{ seq: number; count: number; start: number }> {
  if (state.head) return state.head;
  const [head] = await deps.store.log.heads([state.key]);
  return head as NonNullable<typeof head>;
}

/** Makes the user a member and says what the room is, with what was missed since `since`. */
export async function joinRoom(deps: Deps, user: Actor, resume: Resume, quiet: boolean): Promise<ChatAnswer> {
  need(user.rights, "join", resume.room);
  await deps.askApplication?.("join", user.id, resume.room);
  const state = await deps.rooms.loadOrMake(resume.room);
  const { role } = await deps.rooms.access(state, user.id, user.rights);
  if (!(await deps.rooms.isMember(state, user.id))) {
    const { wasMember } = await deps.store.rooms.putMember(state.key, user.id, { member: true }, deps.now());
    deps.rooms.setMember(state, user.id, true);
    if (!wasMember) {
      state.memberCount++;
      deps.deliver.order({ order: "membership", user: user.id, room: state.name, member: true });
    }
  }
  if (!quiet) announce(deps, state, "room.joined", user);
  const head = await headOf(deps, state);
  const caught = await catchUp(deps, state, resume, head);
  const json = `{"room":${state.nameJson},"head":${head.seq},"epoch":"${epochOf(state.key)}","role":"${role}","members":${state.memberCount},${caught}}`;
  return { kind: "joined", key: state.key, head: head.seq, json };
}

/** `recovered`, `missed` and `truncated` as JSON members. */
async function catchUp(
  deps: Deps,
  state: RoomState,
  { since, epoch }: Resume,
  head: { seq: number; start: number },
): Promise<string> {
  const lost = '"recovered":false,"missed":[],"truncated":false';
  if (epoch !== null && epoch !== epochOf(state.key)) return lost;
  if (since === null || since === head.seq) return '"recovered":true,"missed":[],"truncated":false';
  if (since > head.seq) return lost;
  const page = await deps.store.log.readAfter(state.key, since, limits.entriesPerAnswer);
  const first = page[0];
  // Entries no longer kept: the first one read does not follow.
  if (!first || first.seq !== since + 1) return lost;
  const missed = fitPage(page.filter(({ seq }) => seq <= head.seq));
  const truncated = (missed[missed.length - 1]?.seq ?? since) < head.seq;
  return `"recovered":true,"missed":[${missed.map(({ body }) => body).join(",")}],"truncated":${truncated}`;
}

export async function leaveRoom(
  deps: Deps,
  user: Actor,
  { room, forget, listening }: { room: string; forget: boolean; listening: boolean },
): Promise<ChatAnswer> {
  const state = await deps.rooms.load(room);
  if (!state) throw forbidden();
  await deps.rooms.access(state, user.id, user.rights);
  const left = forget && (await deps.store.rooms.removeMember(state.key, user.id));
  if (left) {
    deps.rooms.setMember(state, user.id, false);
    state.memberCount--;
    deps.deliver.order({ order: "membership", user: user.id, room: state.name, member: false });
    deps.deliver.roomChanged(state.name);
  }
  if (left || listening) announce(deps, state, "room.left", user);
  return { kind: "json", json: "{}" };
}

/** In a large room nobody wants to hear of each one who comes and goes. */
function announce(deps: Deps, state: RoomState, event: string, { id, name, guest }: Actor): void {
  if (state.memberCount > deps.announceMembersMax) return;
  deps.deliver.passing(state, event, JSON.stringify({ user: { id, name, guest }, members: state.memberCount }));
}
