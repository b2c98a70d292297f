/** Tokens that hold no more, though they have not run out. */

/** `user:<id>` for all tokens of a user, `token:<jti>` for one. */
export type RevocationSubject = `user:${string}` | `token:${string}`;

export interface RevocationStore {
  /** What was issued to the subject up to `beforeMs` holds no more; an earlier time than the one known changes nothing. */
  put(subject: RevocationSubject, beforeMs: number): Promise<void>;
  /** Until when what was issued holds no more, in the order asked for; null where nothing was revoked. */
  find(subjects: RevocationSubject[]): Promise<(number | null)[]>;
}
