/** Typing ends by itself after this. */
export const typingMs = 6_000;

const values = {
  frameBytes: 64 * 1024,
  textBytes: 16 * 1024,
  /** The frame object itself is level 1. */
  nesting: 16,
  requestIdChars: 64,
  /** UTF-16 units after NFC, as for all lengths of names. */
  roomNameChars: 128,
  userIdChars: 128,
  userNameChars: 128,
  infoBytes: 4 * 1024,
  clientMessageIdChars: 64,
  emojiChars: 32,
  ticketSubjectChars: 200,
  eventNameChars: 64,
  statusTextChars: 128,
  usersPerPage: 200,
  /** Users that one Emit may name. */
  emitUsers: 1_000,
  tokenChars: 8 * 1024,
  roomsPerSession: 500,
  /** Most entries in one answer: `missed`, and a page of `History`. */
  entriesPerAnswer: 200,
  eventsPerSecond: 50,
  eventsBurst: 100,
  rateLimitedBeforeClose: 200,
  rateLimitedWindowMs: 10_000,
  badFramesBeforeClose: 20,
  badFramesWindowMs: 60_000,
  /** Of one user, over all connections and nodes. */
  userEventsPerSecond: 150,
  userSessions: 100,
  connectionsPerSecondPerAddress: 50,
  connectionsPerSecondPerNode: 1_000,
  waitingBytes: 1024 * 1024,
  registerWithinMs: 10_000,
  heartbeatMs: 20_000,
  idleTimeoutMs: 30_000,
  /** No Heartbeat for so long makes a user away. */
  awayAfterMs: 60_000,
  typingMs,
};

export type LimitName = keyof typeof values;

/** What a client may ask at most, unless a server's settings say otherwise. Units stand in the names. */
export const limits: { readonly [name in LimitName]: number } = values;

/** For a server's process, once, before it serves: what its settings say. */
export function setLimits(changes: { readonly [name in LimitName]?: number }): void {
  Object.assign(values, changes);
}

/** Keys that no frame may hold at any depth: they change what an object is. */
export const refusedKeys = ["__proto__", "constructor", "prototype"] as const;
