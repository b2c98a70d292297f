import { randomBytes } from "node:crypto";

/** An id that sorts by the time it was made at: letters and digits, milliseconds first, then 60 random bits. */
export function newId(nowMs: number = Date.now()): string {
  const time = Math.floor(nowMs).toString(36).padStart(9, "0");
  const random = (randomBytes(8).readBigUInt64BE() >> 4n).toString(36).padStart(12, "0");
  return time + random;
}
