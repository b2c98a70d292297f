/** Notifications, and how people want to be told. */

/** waiting: for its time, or its turn; the others are ends. digested: told as part of another one. */
export type NotificationStatus = "waiting" | "sent" | "digested" | "cancelled" | "failed";

export interface NotificationRecord {
  id: string;
  user: string;
  /** What it is about: `mention`, `direct`, `ticket`, `timer`, or a name of the application's. */
  kind: string;
  title: string;
  body: string;
  /** JSON text, or null. */
  data: string | null;
  /** Unique for each user; one without a key gets one of its own. */
  dedupeKey: string;
  status: NotificationStatus;
  /** JSON text of what is still to be done for it; the service's own. */
  plan: string;
  /** How many it stands for: 1, or more for a digest. */
  count: number;
  /** Its place in the list, which descends by it; null while it is not in the list. */
  position: string | null;
  readAtMs: number | null;
  createdAtMs: number;
  /** When it was first told; null before. */
  sentAtMs: number | null;
  /** When somebody has to look at it again; null once nothing is left to do. */
  dueAtMs: number | null;
  /** Grows by one with each change. */
  version: number;
}

export type NotificationChanges = Partial<
  Pick<
    NotificationRecord,
    "title" | "body" | "data" | "status" | "plan" | "count" | "position" | "readAtMs" | "sentAtMs" | "dueAtMs"
  >
>;

export interface PreferencesRecord {
  user: string;
  /** E.164, or null. */
  phone: string | null;
  /** JSON text of what the user prefers; the service's own. */
  body: string;
}

export interface NotificationStore {
  /** Removes all of the user's, and the preferences. */
  forget(user: string): Promise<void>;
  /** Stores the record, or answers the one of this user that has its dedupeKey (`created:false`). The id must be new. */
  create(record: NotificationRecord): Promise<{ record: NotificationRecord; created: boolean }>;
  find(id: string): Promise<NotificationRecord | null>;
  findByKey(user: string, dedupeKey: string): Promise<NotificationRecord | null>;
  /** Changes and bumps the version, where the record is at `version`; null where it is not, or absent. */
  change(id: string, version: number, changes: NotificationChanges): Promise<NotificationRecord | null>;
  /** The user's list: those with a position, descending by it, positions < before. */
  list(
    user: string,
    options: { before: string | null; limit: number; unreadOnly: boolean },
  ): Promise<NotificationRecord[]>;
  /** How many of the user's list are not read. */
  unread(user: string): Promise<number>;
  /** Marks one of the user's list read, or with null all of it; bumps their versions; answers how many were not read before. */
  markRead(user: string, id: string | null, atMs: number): Promise<number>;
  /** The user's notifications of a kind and status, descending by id. */
  ofKind(user: string, kind: string, status: NotificationStatus, limit: number): Promise<NotificationRecord[]>;
  /** All of the user's, in the list or not, ascending by id, ids > after. */
  allOf(user: string, options: { after: string | null; limit: number }): Promise<NotificationRecord[]>;
  /** Records with dueAtMs <= atMs, ascending by (dueAtMs, id), those after the last of the page before where given. */
  due(
    atMs: number,
    options: { after: { dueAtMs: number; id: string } | null; limit: number },
  ): Promise<NotificationRecord[]>;
  count(status: NotificationStatus): Promise<number>;
  /** Removes records created before `createdBeforeMs` which nobody has to look at again, at most `limit`; answers how many. */
  removeOld(createdBeforeMs: number, limit: number): Promise<number>;

  preferences(user: string): Promise<PreferencesRecord | null>;
  /** Makes or replaces. */
  putPreferences(preferences: PreferencesRecord): Promise<void>;
  /** Users who gave this number, ascending by id. */
  usersWithPhone(phone: string, limit: number): Promise<string[]>;
}
