/** Reads the replies to sends, by byte search as long as they say yes. */
import { findKey, readNumber } from "./send-frame.ts";

const requestIdKey = Buffer.from('"requestId":');
const successKey = Buffer.from('"success":true');

export interface ReplyReader {
  /** The request id of a reply that says yes; -1 for one that says no, which is counted, and for any other frame. */
  read(bytes: Buffer, start: number, end: number): number;
  /** The request id of the refusal that `read` saw last, or -1. Taken once. */
  takeRefusedId(): number;
  /** How many were refused, by the code that the server gave. */
  readonly refused: Record<string, number>;
  readonly refusedCount: number;
}

export function createReplyReader(): ReplyReader {
  const refused: Record<string, number> = {};
  let refusedCount = 0;
  let refusedId = -1;
  let idHint = 0;
  let successHint = 0;
  return {
    read(bytes, start, end) {
      // {"eventType":"Reply" – the 15th byte tells it from a ServerEvent without comparing the rest.
      if (bytes[start + 14] !== 0x52) return -1;
      const idAt = findKey(bytes, start, end, idHint, requestIdKey);
      if (idAt === -1) return -1;
      idHint = idAt - requestIdKey.length;
      const successAt = findKey(bytes, start, end, successHint, successKey);
      if (successAt !== -1) {
        successHint = successAt - successKey.length;
        return readNumber(bytes, start + idAt);
      }
      const code = String(JSON.parse(bytes.toString("utf8", start, end)).code ?? "no code");
      refused[code] = (refused[code] ?? 0) + 1;
      refusedCount++;
      refusedId = readNumber(bytes, start + idAt);
      return -1;
    },
    takeRefusedId() {
      const id = refusedId;
      refusedId = -1;
      return id;
    },
    refused,
    get refusedCount() {
      return refusedCount;
    },
  };
}
