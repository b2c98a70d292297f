/** Decodes what a client sends, once, at the gateway's door. */
import { faultOf } from "./carried.ts";
import { type ClientEvent, decoderOf } from "./client-events.ts";
import { type ErrorCode, Refusal } from "./errors.ts";
import { isObject } from "./fields.ts";
import { limits } from "./limits.ts";

/** `requestId` is what the reply carries: a string, an integer, or null. */
export type Decoded =
  | { ok: true; requestId: string | number | null; value: ClientEvent }
  | { ok: false; requestId: string | number | null; event: string | null; code: ErrorCode; error: string };

const refusedFrame = (error: string): Decoded => ({
  ok: false,
  requestId: null,
  event: null,
  code: "bad_frame",
  error,
});

/** Deepest nesting of brackets in a JSON text, strings left out; counted before parsing, which costs more. */
function nestingOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < json.length; i++) {
    const unit = json.charCodeAt(i);
    if (unit === 0x22) {
      for (i++; i < json.length && json.charCodeAt(i) !== 0x22; i++) if (json.charCodeAt(i) === 0x5c) i++;
    } else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > deepest) deepest = depth;
    } else if (unit === 0x7d || unit === 0x5d) depth--;
  }
  return deepest;
}

function bracketsIn(json: string, enough: number): number {
  let count = 0;
  for (let i = 0; i < json.length && count < enough; i++) {
    const unit = json.charCodeAt(i);
    if (unit === 0x7b || unit === 0x5b) count++;
  }
  return count;
}

/** A refused key can only be there if its name is, or an escape that may spell it. */
const suspicious = /__proto__|constructor|prototype|\\u/;

/** Decodes a text frame (`parley.v1.json`). Never throws. */
export function decodeClientEvent(json: string): Decoded {
  if (bracketsIn(json, limits.nesting + 1) > limits.nesting && nestingOf(json) > limits.nesting)
    return refusedFrame(`A frame may be nested ${limits.nesting} deep at most`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return refusedFrame("A frame must be one JSON object");
  }
  if (suspicious.test(json)) {
    const fault = faultOf(value, 1);
    if (fault) return refusedFrame(`A frame can't be read: ${fault}`);
  }
  return decodeClientObject(value);
}

/** Decodes what a binary frame (`parley.v1.msgpack`) held: it may be anything, so it is walked whole first. */
export function decodeClientValue(value: unknown): Decoded {
  const fault = faultOf(value, 1);
  return fault ? refusedFrame(`A frame can't be read: ${fault}`) : decodeClientObject(value);
}

function decodeClientObject(frame: unknown): Decoded {
  if (!isObject(frame)) return refusedFrame("A frame must be one JSON object");
  if (frame.eventType !== undefined && frame.eventType !== "ClientEvent")
    return refusedFrame('eventType must be "ClientEvent" or left out');
  const event = typeof frame.event === "string" && frame.event.length <= 64 ? frame.event : null;
  let requestId: string | number | null = null;
  try {
    if (frame.requestId !== undefined && frame.requestId !== null) requestId = readRequestId(frame.requestId);
    const decode = event === null ? undefined : decoderOf.get(event);
    if (decode === undefined) {
      const error = event === null ? "event must be the name of a client event" : `There is no event ${event}`;
      return { ok: false, requestId, event, code: "unknown_event", error };
    }
    const fields = frame.requestData ?? {};
    if (!isObject(fields)) throw new Refusal("bad_request", "requestData must be an object");
    return { ok: true, requestId, value: decode(fields) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, requestId, event, code: error.code, error: error.message };
  }
}

function readRequestId(value: unknown): string | number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (typeof value === "string" && value.length <= limits.requestIdChars && value.isWellFormed()) return value;
  throw new Refusal(
    "bad_request",
    `requestId must be an integer or a string of up to ${limits.requestIdChars} characters`,
  );
}
