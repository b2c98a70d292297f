/** What is to be done for a notification, and when: decided when it comes, kept with it, without I/O. */
import type { NotificationChannel, Preferences } from "@parley/protocol";
import { quietUntil } from "./quiet-hours.ts";

export interface Step {
  channel: NotificationChannel;
  /** Milliseconds since 1970. */
  atMs: number;
  /** How often it was tried in vain. */
  tries?: number;
}

export interface Plan {
  /** What is left, first things first. */
  steps: Step[];
  /** It may be told together with others of its kind. */
  digest?: true;
  /** A message's: nobody needs to be told who has read up to it meanwhile. */
  unlessRead?: { key: number; seq: number };
  /** Fingerprint of the call that asked for it, where it came with an Idempotency-Key. */
  fingerprint?: string;
}

export interface PlanInput {
  kind: string;
  /** The room it is about, if any. */
  room: string | null;
  /** What the sender asked for; null: in the app. */
  channels: NotificationChannel[] | null;
  preferences: Preferences;
  nowMs: number;
  /** Not before. */
  atMs: number;
  /** When the last of this kind was told, or null. */
  lastToldMs: number | null;
  unlessRead: Plan["unlessRead"] | null;
  /** How long somebody has to see it in the app before other channels are used. */
  unseenMs: number;
}

/** Channels that are not in the app: they disturb. */
const disturbing = (channel: NotificationChannel): boolean => channel !== "inApp";

/** What is said of the kind, else of all kinds, else null. A kind may be called `constructor`. */
function ofKind<T>(byKind: Record<string, T>, kind: string): T | null {
  const name = Object.hasOwn(byKind, kind) ? kind : "*";
  return Object.hasOwn(byKind, name) ? (byKind[name] as T) : null;
}

/** The plan, or null where the recipient wants to hear nothing of it. */
export function planFor(input: PlanInput): Plan | null {
  const { kind, room, preferences, nowMs, unlessRead } = input;
  if (room !== null && preferences.mutedRooms.includes(room)) return null;
  const wanted = ofKind(preferences.channels, kind);
  const asked = input.channels ?? wanted ?? ["inApp"];
  const used = wanted === null ? asked : asked.filter((channel) => wanted.includes(channel));
  if (used.length === 0) return null;

  const minutes = ofKind(preferences.digestMinutes, kind) ?? 0;
  const windowEnd = input.lastToldMs === null ? 0 : input.lastToldMs + minutes * 60_000;
  const firstMs = Math.max(nowMs, input.atMs, windowEnd);
  const inApp = used.includes("inApp");
  const steps = used.map((channel): Step => {
    if (!disturbing(channel)) return { channel, atMs: firstMs };
    const atMs = inApp ? firstMs + input.unseenMs : firstMs;
    return { channel, atMs: quietUntil(atMs, preferences.quietHours) };
  });
  steps.sort((a, b) => a.atMs - b.atMs);
  return {
    steps,
    ...(minutes > 0 && input.atMs <= nowMs ? { digest: true } : {}),
    ...(unlessRead ? { unlessRead } : {}),
  };
}

/** The wait after a webhook's or an SMS's step failed for the n-th time. */
export const stepRetryMs = (tries: number, random: number): number =>
  Math.round(Math.min(3_600_000, 2_000 * 4 ** (tries - 1)) * (0.5 + random / 2));
