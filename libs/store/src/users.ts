/** People: users and guests. What they want to be told of stands in notifications.ts, as preferences. */

export interface UserRecord {
  id: string;
  name: string;
  guest: boolean;
  /** JSON text of an object the user brought along, or null. */
  info: string | null;
  /** As in `#7c3aed`; null: whoever shows the user picks one. */
  avatarColor: string | null;
  /** E.164, as in `+491701234567`. */
  phone: string | null;
  email: string | null;
  createdAtMs: number;
  lastSeenAtMs: number;
}

/** A user of whom nothing is known yet but who they are. */
export const newUser = (user: Pick<UserRecord, "id" | "name" | "guest">, atMs: number): UserRecord => ({
  id: user.id,
  name: user.name,
  guest: user.guest,
  info: null,
  avatarColor: null,
  phone: null,
  email: null,
  createdAtMs: atMs,
  lastSeenAtMs: atMs,
});

export type UserChanges = Partial<Pick<UserRecord, "name" | "guest" | "info" | "avatarColor" | "phone" | "email">>;

export interface UserStore {
  /** Makes or replaces. */
  put(user: UserRecord): Promise<void>;
  /** Makes the user, or answers the one that is there (`created:false`). */
  create(user: UserRecord): Promise<{ user: UserRecord; created: boolean }>;
  /** Changes what is named and nothing else; null for an absent user. */
  change(id: string, changes: UserChanges): Promise<UserRecord | null>;
  find(ids: string[]): Promise<(UserRecord | null)[]>;
  /** Moves lastSeenAtMs forward for those who exist. */
  touch(ids: string[], atMs: number): Promise<void>;
  /** Removes guests last seen before `beforeMs` with all their memberships, at most `limit`; answers their ids. */
  removeStaleGuests(beforeMs: number, limit: number): Promise<string[]>;
}
