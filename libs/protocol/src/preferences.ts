/** How somebody wants to be told: read from what they sent, with every fault named. */
import { Refusal } from "./errors.ts";

export const notificationChannels = ["inApp", "sms", "webhook"] as const;
export type NotificationChannel = (typeof notificationChannels)[number];

export interface QuietHours {
  /** `HH:MM` in the zone. From later than to: over midnight. */
  from: string;
  to: string;
  /** IANA, as `Europe/Paris`. */
  timeZone: string;
}

export interface Preferences {
  /** Channels by kind of notification; `*` for kinds not named. An empty list: not at all. */
  channels: Record<string, NotificationChannel[]>;
  /** Only the list in the page then; what would disturb waits for the end. */
  quietHours: QuietHours | null;
  /** Rooms of which the user is told nothing. */
  mutedRooms: string[];
  /** Minutes in which the second and further ones of a kind are gathered into one. */
  digestMinutes: Record<string, number>;
  /** E.164; people may set it themselves only where the operator allows that. */
  phone: string | null;
}

/** Of somebody who has said nothing. */
export const noPreferences: Preferences = {
  channels: {},
  quietHours: null,
  mutedRooms: [],
  digestMinutes: {},
  phone: null,
};

const kindPattern = /^(\*|[a-z][a-z0-9_.-]{0,31})$/;
const phonePattern = /^\+[1-9]\d{3,14}$/;
const clock = /^([01]\d|2[0-3]):[0-5]\d$/;
const kindsMax = 50;
const mutedMax = 500;
const digestMinutesMax = 24 * 60;

const bad = (what: string): never => {
  throw new Refusal("bad_request", what);
};

export function checkNotificationKind(kind: string): string {
  if (!kindPattern.test(kind) || kind === "*")
    bad("kind must be a lower-case word of up to 32 characters: letters, digits, _ . -");
  return kind;
}

function byKind<T>(value: unknown, field: string, read: (value: unknown, kind: string) => T): Record<string, T> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    bad(`${field} must be an object: kind → value`);
  const entries = Object.entries(value as object);
  if (entries.length > kindsMax) bad(`${field} may name ${kindsMax} kinds at most`);
  return Object.fromEntries(
    entries.map(([kind, each]) => {
      if (!kindPattern.test(kind)) bad(`${field}: a kind is a lower-case word of up to 32 characters, or *`);
      return [kind, read(each, kind)] as const;
    }),
  );
}

export function readNotificationChannels(value: unknown, field: string): NotificationChannel[] {
  if (!Array.isArray(value) || value.some((each) => !(notificationChannels as readonly unknown[]).includes(each)))
    bad(`${field} must be a list of ${notificationChannels.join(", ")}`);
  return notificationChannels.filter((channel) => (value as unknown[]).includes(channel));
}

function readQuietHours(value: unknown): QuietHours | null {
  if (value === null) return null;
  const { from, to, timeZone } = value as Record<string, unknown>;
  if (typeof from !== "string" || typeof to !== "string" || !clock.test(from) || !clock.test(to) || from === to)
    return bad("quietHours needs from and to as HH:MM, not the same");
  try {
    new Intl.DateTimeFormat("en", { timeZone: String(timeZone) });
  } catch {
    return bad("quietHours.timeZone must be the name of a time zone, as Europe/Paris");
  }
  return { from, to, timeZone: String(timeZone) };
}

function readMuted(value: unknown): string[] {
  if (
    !Array.isArray(value) ||
    value.length > mutedMax ||
    value.some((room) => typeof room !== "string" || room.length > 128)
  )
    return bad(`mutedRooms must be a list of up to ${mutedMax} names of rooms`);
  return [...new Set(value as string[])];
}

const readers: { [field in keyof Preferences]: (value: unknown) => Preferences[field] } = {
  channels: (value) => byKind(value, "channels", (each, kind) => readNotificationChannels(each, `channels.${kind}`)),
  quietHours: (value) =>
    typeof value === "object" ? readQuietHours(value) : bad("quietHours must be an object or null"),
  mutedRooms: readMuted,
  digestMinutes: (value) =>
    byKind(value, "digestMinutes", (each, kind) => {
      if (typeof each !== "number" || !Number.isInteger(each) || each < 0 || each > digestMinutesMax)
        bad(`digestMinutes.${kind} must be a whole number from 0 to ${digestMinutesMax}`);
      return each as number;
    }),
  phone: (value) =>
    value === null || (typeof value === "string" && phonePattern.test(value))
      ? value
      : bad("phone must be a number in E.164, such as +12025550123, or null"),
};

/** The fields that `changes` names. Throws Refusal for a wrong or unknown one, and where there is none. */
export function readPreferences(changes: Record<string, unknown>): Partial<Preferences> {
  const fields = Object.keys(changes);
  const unknownField = fields.find((field) => !Object.hasOwn(readers, field));
  if (unknownField !== undefined)
    bad(`There is no preference ${unknownField.slice(0, 40)}; there are ${Object.keys(readers).join(", ")}`);
  if (fields.length === 0) bad(`give at least one of ${Object.keys(readers).join(", ")}`);
  return Object.fromEntries(fields.map((field) => [field, readers[field as keyof Preferences](changes[field])]));
}
