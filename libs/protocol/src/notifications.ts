/** Notifications: what clients ask for and are shown. */
import { Refusal } from "./errors.ts";
import { optional } from "./fields.ts";
import { checkBoolean, checkName } from "./names.ts";
import { type Preferences, readPreferences } from "./preferences.ts";

export type NotificationEvent =
  | { event: "Notifications"; next: string | null; unreadOnly: boolean }
  /** `id` null: all of them. */
  | { event: "ReadNotification"; id: string | null }
  | { event: "GetPreferences" }
  | { event: "SetPreferences"; changes: Partial<Preferences> };

export interface NotificationView {
  id: string;
  /** `mention`, `direct`, `ticket`, `timer`, or a kind of the application's. */
  kind: string;
  title: string;
  body: string;
  data: unknown;
  /** How many it stands for: more than 1 for a digest. */
  count: number;
  /** ISO 8601, UTC. */
  at: string;
  read: boolean;
}

export interface NotificationsData {
  notifications: NotificationView[];
  /** Of all, not of this page. */
  unread: number;
  next: string | null;
}

/** The server event `notification`: a new one, or word that some were read in another session. */
export type NotificationNews =
  | { notification: NotificationView; unread: number }
  /** `read`: an id, or `all`. */
  | { read: string; unread: number };

const idChars = 64;

function readReadNotification({ id, all }: Record<string, unknown>): NotificationEvent {
  const known = optional(id, (value) => checkName(value, "id", idChars));
  const every = optional(all, (value) => checkBoolean(value, "all")) ?? false;
  if ((known === null) !== every) throw new Refusal("bad_request", "give either id or all:true");
  return { event: "ReadNotification", id: known };
}

export const notificationDecoders: {
  [name in NotificationEvent["event"]]: (fields: Record<string, unknown>) => NotificationEvent;
} = {
  Notifications: ({ next, unreadOnly }) => ({
    event: "Notifications",
    next: optional(next, (value) => checkName(value, "next", idChars)),
    unreadOnly: optional(unreadOnly, (value) => checkBoolean(value, "unreadOnly")) ?? false,
  }),
  ReadNotification: readReadNotification,
  GetPreferences: () => ({ event: "GetPreferences" }),
  SetPreferences: (fields) => ({ event: "SetPreferences", changes: readPreferences(fields) }),
};
