/** SMS: what was accepted, how far each has got, and who wants none. */

export type SmsKind = "transactional" | "bulk";
/** queued: waits for an attempt; sending: an attempt is under way; the others are ends, unknown until it is settled. */
export type SmsStatus = "queued" | "sending" | "sent" | "delivered" | "failed" | "unknown";

export interface SmsRecord {
  id: string;
  /** E.164: `+` and digits. */
  to: string;
  text: string;
  kind: SmsKind;
  /** What becomes of an attempt that may or may not have reached the provider. */
  onUnknown: "settle" | "resend";
  /** Unique among all records; a request without a key gets one of its own. */
  idempotencyKey: string;
  /** Fingerprint of the request, to tell a repeat from another one under the same key. */
  digest: string;
  status: SmsStatus;
  /** Attempts begun. */
  attempts: number;
  /** The provider of the last attempt, and the name it gave the message. */
  provider: string | null;
  providerId: string | null;
  /** Why the last attempt did not go well. */
  error: string | null;
  createdAtMs: number;
  updatedAtMs: number;
  /** When somebody has to look at it again (milliseconds since 1970); null once nothing is left to do. */
  dueAtMs: number | null;
  /** Grows by one with each change. */
  version: number;
}

export type SmsChanges = Partial<
  Pick<SmsRecord, "status" | "attempts" | "provider" | "providerId" | "error" | "updatedAtMs" | "dueAtMs">
>;

export interface SmsStore {
  /** Removes every record for this number; an opt-out stays, being a wish. */
  forget(to: string): Promise<void>;
  /** Stores the record, or answers the one that has its idempotencyKey (`created:false`). The id must be new. */
  create(record: SmsRecord): Promise<{ record: SmsRecord; created: boolean }>;
  find(id: string): Promise<SmsRecord | null>;
  findByKey(idempotencyKey: string): Promise<SmsRecord | null>;
  /** The record which the provider knows by this name. */
  findByProviderId(provider: string, providerId: string): Promise<SmsRecord | null>;
  /** Changes and bumps the version, where the record is at `version`; null where it is not, or absent. */
  change(id: string, version: number, changes: SmsChanges): Promise<SmsRecord | null>;
  /** Records of a status, descending by id, ids < before. */
  list(options: { status: SmsStatus; before: string | null; limit: number }): Promise<SmsRecord[]>;
  /** Records with dueAtMs <= atMs, ascending by (dueAtMs, id), those after the last of the page before where given. */
  due(atMs: number, options: { after: { dueAtMs: number; id: string } | null; limit: number }): Promise<SmsRecord[]>;
  count(status: SmsStatus): Promise<number>;
  /** Records for this number, ascending by id, ids > after. */
  listTo(to: string, options: { after: string | null; limit: number }): Promise<SmsRecord[]>;
  /** How many records for this number were created at `sinceMs` or later. */
  countTo(to: string, sinceMs: number): Promise<number>;
  /** Removes records created before `createdBeforeMs` which nobody has to look at again, at most `limit`; answers how many. */
  removeOld(createdBeforeMs: number, limit: number): Promise<number>;

  /** The owner of this number wants no SMS; a repeat changes nothing. */
  addOptOut(number: string, atMs: number): Promise<void>;
  /** Answers whether the number was opted out. */
  removeOptOut(number: string): Promise<boolean>;
  isOptedOut(number: string): Promise<boolean>;
}
