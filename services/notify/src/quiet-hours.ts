import type { QuietHours } from "@parley/protocol";

const minuteMs = 60_000;

/** Minutes since midnight on the wall clock of a zone. */
function wallMinutes(atMs: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const [hours = 0, minutes = 0] = parts.format(atMs).split(":").map(Number);
  return hours * 60 + minutes;
}

const minutesOf = (clock: string): number => {
  const [hours = 0, minutes = 0] = clock.split(":").map(Number);
  return hours * 60 + minutes;
};

/** When the quiet hours that hold at `atMs` end; `atMs` itself where none do. Right also where a clock change falls in them. */
export function quietUntil(atMs: number, quiet: QuietHours | null): number {
  if (quiet === null) return atMs;
  const from = minutesOf(quiet.from);
  const to = minutesOf(quiet.to);
  const isQuiet = (ms: number) => {
    const now = wallMinutes(ms, quiet.timeZone);
    return from < to ? now >= from && now < to : now >= from || now < to;
  };
  if (!isQuiet(atMs)) return atMs;
  const left = (to - wallMinutes(atMs, quiet.timeZone) + 1_440) % 1_440;
  let end = Math.floor(atMs / minuteMs) * minuteMs + left * minuteMs;
  // A clock that was put on or back in between: an hour or so too early or too late.
  while (isQuiet(end)) end += 5 * minuteMs;
  while (end - 5 * minuteMs > atMs && !isQuiet(end - 5 * minuteMs)) end -= 5 * minuteMs;
  return Math.max(end, atMs);
}
