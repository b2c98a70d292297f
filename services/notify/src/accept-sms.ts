/** Takes an SMS in: checks it, stores it, and only then says so. Redis is told afterwards, and nobody waits for it. */
import { createHash } from "node:crypto";
import { newId } from "@parley/jobs";
import { Refusal } from "@parley/protocol";
import { ApiError } from "@parley/service-kit";
import type { SmsKind, SmsRecord, SmsStore } from "@parley/store";
import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import { countSegments } from "./segments.ts";

export interface SmsRequest {
  to: string;
  text: string;
  kind: SmsKind;
  onUnknown?: SmsRecord["onUnknown"];
}

export interface SmsLimits {
  /** Longest text, in segments. */
  segmentsMax: number;
  /** ISO 3166 codes of countries that get none. */
  blockedCountries: ReadonlySet<string>;
  /** SMS to one number within `perNumberMs`. */
  perNumber: number;
  perNumberMs: number;
}

/** `key`: the request's Idempotency-Key, or null. Rejects with Refusal, ApiError or StoreUnavailable. */
export type AcceptSms = (request: SmsRequest, key: string | null) => Promise<{ record: SmsRecord; created: boolean }>;

/** The number in E.164. Throws Refusal where it can't be one, or its country is blocked. */
export function checkNumber(to: string, blocked: ReadonlySet<string>, field = "to"): string {
  const number = parsePhoneNumberFromString(to);
  if (!number?.isValid() || number.number !== to)
    throw new Refusal(
      "bad_request",
      `${field} must be a phone number in E.164, such as +12025550123: +, country, number, no spaces`,
    );
  if (number.country !== undefined && blocked.has(number.country))
    throw new Refusal("forbidden", `SMS to ${number.country} are blocked (SMS_BLOCKED_COUNTRIES)`);
  return number.number;
}

function checkSmsText(text: string, segmentsMax: number): string {
  if (text.trim() === "") throw new Refusal("bad_request", "text must not be empty");
  if (!text.isWellFormed()) throw new Refusal("bad_request", "text holds half a surrogate pair");
  const { encoding, segments } = countSegments(text);
  if (segments > segmentsMax)
    throw new Refusal(
      "too_large",
      `text takes ${segments} segments (${encoding}); ${segmentsMax} are allowed (SMS_SEGMENTS_MAX)`,
    );
  return text;
}

const keyPattern = /^[\x21-\x7e]{1,255}$/;

export function checkKey(key: string | undefined): string | null {
  if (key === undefined) return null;
  if (!keyPattern.test(key))
    throw new Refusal("bad_request", "Idempotency-Key must have 1 to 255 printable ASCII characters and no space");
  return key;
}

/** A fingerprint of a request: the same for the same one. */
export const digestOf = (...parts: unknown[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("base64url");

export function createAcceptSms(options: {
  store: SmsStore;
  limits: SmsLimits;
  /** Tells the queue of a new record; never waits. */
  nudge: (record: SmsRecord) => void;
}): AcceptSms {
  const { store, limits, nudge } = options;
  const { perNumber, perNumberMs } = limits;

  return async (request, key) => {
    const to = checkNumber(request.to, limits.blockedCountries);
    const text = checkSmsText(request.text, limits.segmentsMax);
    const { kind, onUnknown = "settle" } = request;
    const digest = digestOf(to, text, kind, onUnknown);
    const repeatOf = (record: SmsRecord) => {
      if (record.digest !== digest)
        throw new Refusal("conflict", "This Idempotency-Key was used for another SMS: use a new key for a new one");
      return { record, created: false };
    };

    const known = key === null ? null : await store.findByKey(`key:${key}`);
    if (known) return repeatOf(known);
    if (await store.isOptedOut(to)) throw new Refusal("forbidden", "This number opted out of SMS (it sent STOP)");
    const nowMs = Date.now();
    if ((await store.countTo(to, nowMs - perNumberMs)) >= perNumber)
      throw new ApiError(429, "rate_limited", `${perNumber} SMS an hour to one number are enough (SMS_PER_NUMBER)`);
    const id = newId(nowMs);
    const stored = await store.create({
      ...{ id, to, text, kind, onUnknown, digest },
      idempotencyKey: key === null ? `id:${id}` : `key:${key}`,
      status: "queued",
      attempts: 0,
      provider: null,
      providerId: null,
      error: null,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      dueAtMs: nowMs,
      version: 1,
    });
    if (!stored.created) return repeatOf(stored.record);
    nudge(stored.record);
    return stored;
  };
}
