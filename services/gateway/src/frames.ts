/** The frames a gateway makes itself, as JSON text. */
import { type ErrorCode, errors } from "@parley/protocol";

export type RequestId = string | number | null;

const idJson = (requestId: RequestId): string =>
  typeof requestId === "string" ? JSON.stringify(requestId) : String(requestId);

/** `event` is the name of a known event; `dataJson` the reply's data. */
export const replyFrame = (event: string, requestId: RequestId, dataJson: string): string =>
  `{"eventType":"Reply","event":"${event}","requestId":${idJson(requestId)},"success":true,"data":${dataJson},"error":null}`;

export function refusalFrame(
  event: string | null,
  requestId: RequestId,
  code: ErrorCode,
  error: string,
  retryAfterMs?: number,
): string {
  const after = retryAfterMs === undefined ? "" : `,"retryAfterMs":${retryAfterMs}`;
  return `{"eventType":"Reply","event":${JSON.stringify(event)},"requestId":${idJson(requestId)},"success":false,"data":null,"error":${JSON.stringify(error)},"code":"${code}","retryable":${errors[code].retryable}${after}}`;
}

/** `event` may be a name that somebody chose. */
export const eventFrame = (event: string, dataJson: string): string =>
  `{"eventType":"ServerEvent","event":${JSON.stringify(event)},"data":${dataJson}}`;

export const roomEventFrame = (event: string, roomJson: string, dataJson: string): string =>
  `{"eventType":"ServerEvent","event":${JSON.stringify(event)},"room":${roomJson},"data":${dataJson}}`;
