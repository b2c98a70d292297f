/**
 * Why a gateway closes a connection. The range decides what a client does, so that a client older than a code still does
 * right: 4000–4499 come back, 4500–4999 do not.
 */
export const closeCodes = {
  unregistered: { code: 1000, reason: "unregistered" },
  wrongType: { code: 1003, reason: "text where the subprotocol carries binary, or the other way" },
  draining: { code: 4001, reason: "draining: come back after the delay in Drain" },
  tooSlow: { code: 4002, reason: "too slow: come back with since" },
  silent: { code: 4004, reason: "nothing heard in time" },
  tokenEnded: { code: 4005, reason: "token ran out: get a new one, then come back" },
  tooMany: { code: 4006, reason: "too many events: come back after 10 s or more" },
  unauthorized: { code: 4500, reason: "token missing or wrong" },
  badFrames: { code: 4501, reason: "too many bad frames" },
  notRegistered: { code: 4502, reason: "did not register in time" },
  removed: { code: 4503, reason: "removed or revoked" },
  limit: { code: 4504, reason: "a limit of this user or address" },
} as const;

export type CloseReason = keyof typeof closeCodes;

/** Whether a client that was closed with this code should connect again. */
export function mayReconnect(code: number): boolean {
  return code !== 1000 && code !== 1003 && !(code >= 4500 && code <= 4999);
}
