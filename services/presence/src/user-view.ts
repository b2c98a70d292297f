import type { PresentUser, Status, User } from "@parley/protocol";
import { StoreUnavailable, type UserRecord, type UserStore } from "@parley/store";

/** A user as others see them: what Redis knows now, and what the store keeps of them (null while it can't be reached). */
export function viewOf(
  user: User,
  now: { status: Status | ""; text: string; devices: number; seenAtMs: number | null },
  record: UserRecord | null,
): PresentUser {
  const seenAtMs = Math.max(now.seenAtMs ?? 0, record?.lastSeenAtMs ?? 0);
  return {
    id: user.id,
    name: user.name,
    guest: user.guest,
    status: now.status || "offline",
    ...(now.text === "" ? {} : { statusText: now.text }),
    lastSeenAt: seenAtMs > 0 ? new Date(seenAtMs).toISOString() : null,
    info: record?.info == null ? null : (JSON.parse(record.info) as Record<string, unknown>),
    ...(record?.avatarColor ? { avatarColor: record.avatarColor } : {}),
    devices: now.devices,
  };
}

const storeMs = 1_000;

/** The users' records; all null while the store can't be reached or is slow, for presence goes on without it. */
export async function recordsOf(users: UserStore, ids: string[]): Promise<(UserRecord | null)[]> {
  const none = () => ids.map(() => null);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null[]>((resolve) => {
    timer = setTimeout(() => resolve(none()), storeMs);
  });
  try {
    return await Promise.race([users.find(ids), late]);
  } catch (error) {
    if (error instanceof StoreUnavailable) return none();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
