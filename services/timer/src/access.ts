/** Who may see a room's timer, and who may change it: decided from the room and the member as the store has them now. */
import { type Actor, hasRightIn } from "@parley/bus";
import { Refusal, type TimerControl } from "@parley/protocol";
import type { RoomRecord, Store } from "@parley/store";

export interface Access {
  room: RoomRecord;
  user: Actor;
  moderates: boolean;
}

/** The room, for somebody who is in it; refuses others as forbidden, as one refuses where there is no room. */
export async function enter(store: Store, name: string, user: Actor): Promise<Access> {
  const hidden = new Refusal("forbidden", "This room does not exist, or you may not see it");
  if (!hasRightIn(user.rights, "join", name)) throw hidden;
  const [room] = await store.rooms.find([name]);
  if (!room) throw hidden;
  const member = await store.rooms.member(room.key, user.id);
  if (member?.banned) throw hidden;
  if (!member?.member) throw room.visibility === "public" ? new Refusal("forbidden", "Join the room first") : hidden;
  const moderates = member.role !== "member" || hasRightIn(user.rights, "moderate", name);
  return { room, user, moderates };
}

/** Refuses whom the timer's setting leaves out. */
export function checkControl(control: TimerControl, { room, user, moderates }: Access): void {
  if (!hasRightIn(user.rights, "timer", room.name) && !moderates)
    throw new Refusal("forbidden", "You may not control timers");
  if (moderates) return;
  if (room.closed) throw new Refusal("room_closed");
  if (control === "moderators") throw new Refusal("forbidden", "Only moderators control this room's timer");
  if (control === "members" && user.guest) throw new Refusal("forbidden", "Guests do not control this room's timer");
}

/** Who controls a timer is for moderators to say. */
export function checkMayGovern({ moderates }: Access): void {
  if (!moderates) throw new Refusal("forbidden", "Only moderators say who controls this room's timer");
}
