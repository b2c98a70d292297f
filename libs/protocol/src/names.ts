import { Refusal } from "./errors.ts";
import { limits } from "./limits.ts";

const plain = /^[\x20-\x7e]+$/;
const control = /\p{Cc}/u;

/** A name that a person chose, in NFC; refuses the empty, the too long, control characters and lone surrogates. */
export function checkName(value: unknown, field: string, maxChars: number): string {
  if (typeof value !== "string") throw new Refusal("bad_request", `${field} must be a string`);
  if (value.length <= maxChars && plain.test(value)) return value;
  if (!value.isWellFormed()) throw new Refusal("bad_request", `${field} holds half a surrogate pair`);
  const name = value.normalize("NFC");
  if (name.length < 1 || name.length > maxChars)
    throw new Refusal("bad_request", `${field} must have 1 to ${maxChars} characters`);
  if (control.test(name)) throw new Refusal("bad_request", `${field} must not hold control characters`);
  return name;
}

export const checkRoomName = (value: unknown, field = "room"): string => checkName(value, field, limits.roomNameChars);
export const checkUserId = (value: unknown, field = "user"): string => checkName(value, field, limits.userIdChars);

const messageId = /^[\x21-\x7e]{1,64}$/;

export function checkClientMessageId(value: unknown, field = "clientMessageId"): string {
  if (typeof value !== "string" || !messageId.test(value))
    throw new Refusal("bad_request", `${field} must have 1 to 64 printable ASCII characters and no space`);
  return value;
}

/** Bytes of a string in UTF-8; never more than three a unit, so most strings need no counting. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/** Text of a message: up to 16 KiB of UTF-8, without lone surrogates. */
export function checkText(value: unknown, field = "text"): string {
  if (typeof value !== "string") throw new Refusal("bad_request", `${field} must be a string`);
  if (value.length * 3 > limits.textBytes && utf8Bytes(value) > limits.textBytes)
    throw new Refusal("too_large", `${field} is longer than ${limits.textBytes} bytes`);
  if (!value.isWellFormed()) throw new Refusal("bad_request", `${field} holds half a surrogate pair`);
  return value;
}

/** A number of a room's log: a whole number from `least` to 2^53 − 1. */
export function checkSeq(value: unknown, field: string, least = 0): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least)
    throw new Refusal("bad_request", `${field} must be a whole number from ${least} to 2^53 - 1`);
  return value;
}

export function checkBoolean(value: unknown, field: string): boolean {
  if (typeof value !== "boolean") throw new Refusal("bad_request", `${field} must be true or false`);
  return value;
}
