import { MongoBulkWriteError, MongoError, MongoInvalidArgumentError, MongoServerError } from "mongodb";
import { StoreUnavailable } from "../store.ts";

/** The server's error codes that the adapter acts on. */
export const codes = {
  duplicateKey: 11_000,
  indexNotFound: 27,
  namespaceExists: 48,
  notImplemented: 238,
} as const;

/** Errors of ours, which no repetition makes good: bad values, too large, not valid, not allowed. */
const faults = new Set([2, 9, 13, 14, 18, 40, 52, 56, 59, 121, 8000, 10_334, 17_280]);

/** A key that is there twice is a fault of the caller's, unless it is one refusal among the failures of an insert of many. */
function isFault(error: MongoServerError): boolean {
  const code = Number(error.code);
  return faults.has(code) || (code === codes.duplicateKey && !(error instanceof MongoBulkWriteError));
}

/** What the port says of an error: all that may be over in a while is StoreUnavailable, with the driver's error as its cause. */
export function storeError(error: unknown): unknown {
  if (!(error instanceof MongoError) || error instanceof MongoInvalidArgumentError) return error;
  if (error instanceof MongoServerError && isFault(error)) return error;
  return new StoreUnavailable(`MongoDB: ${error.message}`, { cause: error });
}

/** The positions in an unordered insert that were refused for a key that is there; null when more than that went wrong. */
export function duplicatesIn(error: unknown): Set<number> | null {
  if (!(error instanceof MongoBulkWriteError)) return null;
  const errors = [error.writeErrors].flat();
  const onlyDuplicates = errors.length > 0 && errors.every(({ code }) => code === codes.duplicateKey);
  if (!onlyDuplicates || error.result.getWriteConcernError() !== undefined) return null;
  return new Set(errors.map(({ index }) => index));
}
