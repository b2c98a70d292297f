const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const shortDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

const dayMs = 86_400_000;

/** Days since some day, by this device's calendar. */
export const dayOf = (at: Date): number => Math.floor((at.getTime() - at.getTimezoneOffset() * 60_000) / dayMs);

export const formatClock = (iso: string): string => clock.format(new Date(iso));
export const formatWhole = (iso: string): string => whole.format(new Date(iso));

/** "Today", "Yesterday", a weekday of the last week, or a date. */
export function formatDay(iso: string, now: Date = new Date()): string {
  const at = new Date(iso);
  const days = dayOf(now) - dayOf(at);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days > 1 && days < 7 ? weekday.format(at) : date.format(at);
}

const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** "5 minutes ago", "yesterday". */
export function formatAgo(iso: string, nowMs: number): string {
  const minutes = Math.round((Date.parse(iso) - nowMs) / 60_000);
  if (minutes > -1) return "just now";
  if (minutes > -60) return ago.format(minutes, "minute");
  return minutes > -24 * 60
    ? ago.format(Math.round(minutes / 60), "hour")
    : ago.format(Math.round(minutes / 1_440), "day");
}

/** As short as a list of rooms needs it. */
export function formatBrief(iso: string, now: Date = new Date()): string {
  const at = new Date(iso);
  const days = dayOf(now) - dayOf(at);
  if (days === 0) return clock.format(at);
  return days === 1 ? "Yesterday" : shortDate.format(at);
}
