/** People: users and guests. */

export interface UserRecord {
  id: string;
  name: string;
  guest: boolean;
  /** JSON text of an object the user brought along, or null. */
  info: string | null;
  createdAtMs: number;
  lastSeenAtMs: number;
}

export interface UserStore {
  /** Makes or replaces. */
  put(user: UserRecord): Promise<void>;
  find(ids: string[]): Promise<(UserRecord | null)[]>;
  /** Moves lastSeenAtMs forward for those who exist. */
  touch(ids: string[], atMs: number): Promise<void>;
  /** Removes guests last seen before `beforeMs` with all their memberships, at most `limit`; answers their ids. */
  removeStaleGuests(beforeMs: number, limit: number): Promise<string[]>;
}
