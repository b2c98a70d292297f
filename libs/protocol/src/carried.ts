/** Values of the application's own, which Parley carries without knowing them. */
import { Refusal } from "./errors.ts";
import type { Fields } from "./fields.ts";
import { limits, refusedKeys } from "./limits.ts";

const refused = new Set<string>(refusedKeys);

/** Says what is wrong with a parsed value's keys, types or depth, or null. */
export function faultOf(value: unknown, level: number): string | null {
  if (value === null || typeof value === "string" || typeof value === "boolean") return null;
  if (typeof value === "number") return Number.isFinite(value) ? null : "numbers must be finite";
  if (typeof value !== "object") return `a ${typeof value} can't be carried`;
  if (level > limits.nesting) return `nested deeper than ${limits.nesting}`;
  if (Array.isArray(value)) {
    for (const item of value) {
      const fault = faultOf(item, level + 1);
      if (fault) return fault;
    }
    return null;
  }
  const proto = Object.getPrototypeOf(value);
  if (proto !== Object.prototype && proto !== null) return "only plain objects, arrays and values can be carried";
  for (const key of Object.keys(value)) {
    if (refused.has(key)) return `the key ${key} is refused`;
    const fault = faultOf((value as Fields)[key], level + 1);
    if (fault) return fault;
  }
  return null;
}

/** JSON text of a value as it came. JSON.parse makes Infinity of 1e400, and JSON.stringify would make null of that. */
export function carriedJson(value: unknown, field: string): string {
  const fault = faultOf(value, 1);
  if (fault) throw new Refusal("bad_request", `${field} can't be carried: ${fault}`);
  return JSON.stringify(value);
}
