/** Lengths of time as timer apps write them: `HH:mm:ss`. */
import { Refusal } from "./errors.ts";

/** The longest timer there is: 99:59:59. */
export const maxTimerMs = 359_999_000;

const clock = /^(\d\d):([0-5]\d):([0-5]\d)$/;

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** What a countdown shows: `00:00:00` only when nothing remains, so a second begun counts whole. */
export function formatDuration(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1_000);
  return `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** Milliseconds of `HH:mm:ss` or of a whole number of seconds; refuses all but 1 s to 99:59:59. */
export function readDuration(value: unknown, field: string): number {
  const parts = typeof value === "string" ? clock.exec(value) : null;
  const seconds = parts ? Number(parts[1]) * 3_600 + Number(parts[2]) * 60 + Number(parts[3]) : value;
  if (typeof seconds !== "number" || !Number.isInteger(seconds))
    throw new Refusal("bad_request", `${field} must be "HH:mm:ss" (minutes and seconds up to 59) or whole seconds`);
  const ms = seconds * 1_000;
  if (ms < 1_000 || ms > maxTimerMs)
    throw new Refusal("bad_request", `${field} must be from 00:00:01 to 99:59:59 (1 to 359999 seconds)`);
  return ms;
}
