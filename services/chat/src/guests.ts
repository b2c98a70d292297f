/** Who comes and goes, as far as rooms care: a guest, and what the guest belongs to, ends a day after the last session. */
import type { Actor, ChatAnswer } from "@parley/bus";
import { Refusal } from "@parley/protocol";
import { newUser } from "@parley/store";
import type { ChatDeps } from "./chat.ts";

type Deps = Pick<ChatDeps, "store" | "now">;

export const guestLifeMs = 24 * 60 * 60 * 1000;
const maxMemberships = 500;

export async function arrive(deps: Deps, user: Actor, infoJson: string | null, fresh: boolean): Promise<ChatAnswer> {
  const now = deps.now();
  const { users, rooms } = deps.store;
  if (fresh) {
    await users.put({ ...newUser(user, now), info: infoJson });
    return { kind: "json", json: '{"memberships":[]}' };
  }
  const [known] = await users.find([user.id]);
  if (user.guest && (!known || known.lastSeenAtMs < now - guestLifeMs))
    throw new Refusal("unauthorized", "This guest ended 24 h after the last session; register as a new one");
  await users.touch([user.id], now);
  const mine = await rooms.roomsOf(user.id, { after: null, limit: maxMemberships });
  return { kind: "json", json: JSON.stringify({ memberships: mine.map(({ room }) => room.name) }) };
}

export async function seen(deps: Deps, users: string[]): Promise<ChatAnswer> {
  await deps.store.users.touch(users, deps.now());
  return { kind: "json", json: "{}" };
}
