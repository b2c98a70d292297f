/** Who comes and goes, as far as rooms care: users as their tokens name them; a guest ends a day after the last session. */
import type { Actor, ChatAnswer, ChatAsk } from "@parley/bus";
import { Refusal } from "@parley/protocol";
import { newUser, type UserRecord } from "@parley/store";
import type { ChatDeps } from "./chat.ts";
import { refuseRevoked } from "./revocations.ts";

type Arrival = Extract<ChatAsk, { kind: "arrive" }>;
type Deps = Pick<ChatDeps, "store" | "now">;

export const guestLifeMs = 24 * 60 * 60 * 1000;
const maxMemberships = 500;

export async function arrive(deps: Deps, arrival: Arrival): Promise<ChatAnswer> {
  const { user, infoJson, fresh, issuedAtMs, tokenId } = arrival;
  const now = deps.now();
  const { id, guest } = user;
  const { users, rooms } = deps.store;
  if (fresh) {
    await users.create({ ...newUser(user, now), info: infoJson });
    return { kind: "json", json: '{"memberships":[]}' };
  }
  const [known] = await users.find([id]);
  if (guest && (!known || known.lastSeenAtMs < now - guestLifeMs))
    throw new Refusal("unauthorized", "This guest ended 24 h after the last session; register as a new one");
  refuseBetween(user, known ?? null);
  await refuseRevoked(deps, { user: id, issuedAtMs, tokenId });
  if (!guest) await follow(deps, user, infoJson, known ?? null);
  await users.touch([id], now);
  const mine = await rooms.roomsOf(id, { after: null, limit: maxMemberships });
  return { kind: "json", json: JSON.stringify({ memberships: mine.map(({ room }) => room.name) }) };
}

/**
 * A guest is made a user by the internal API, and only then may a token of the application's name the guest's id; from then on
 * the guest's own token is worth nothing.
 */
function refuseBetween({ id, guest }: Actor, known: UserRecord | null): void {
  if (guest && known && !known.guest)
    throw new Refusal("unauthorized", "This guest has become a user: register with the user's token");
  if (!guest && id.startsWith("guest-") && (!known || known.guest))
    throw new Refusal("unauthorized", `The token's sub ${id} is reserved: it is a guest's, who was not made a user`);
}

/** The application says by its tokens who its users are: the store follows. */
async function follow(deps: Deps, user: Actor, info: string | null, known: UserRecord | null): Promise<void> {
  const { users } = deps.store;
  if (!known) return void (await users.create({ ...newUser(user, deps.now()), info }));
  // A token without a name, or info, says nothing of them.
  const name = user.name === user.id ? known.name : user.name;
  if (name === known.name && (info ?? known.info) === known.info && !known.guest) return;
  await users.change(user.id, { name, guest: false, info: info ?? known.info });
}

export async function seen(deps: Deps, users: string[]): Promise<ChatAnswer> {
  await deps.store.users.touch(users, deps.now());
  return { kind: "json", json: "{}" };
}
