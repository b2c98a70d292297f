/**
 * Every error that a reply can carry: what it says unless something better is known, whether asking again can help, and
 * the HTTP status that the internal APIs give it.
 */
export const errors = {
  bad_frame: { message: "This frame is not a client event", retryable: false, status: 400 },
  unknown_event: { message: "There is no such event", retryable: false, status: 400 },
  bad_request: { message: "A field of requestData is wrong", retryable: false, status: 400 },
  not_registered: { message: "Send Register first", retryable: false, status: 401 },
  already_registered: { message: "This connection is registered already", retryable: false, status: 409 },
  unauthorized: { message: "The token is missing, wrong or has run out", retryable: false, status: 401 },
  forbidden: { message: "You may not do this here", retryable: false, status: 403 },
  not_found: { message: "There is nothing by that name", retryable: false, status: 404 },
  conflict: { message: "This clientMessageId was used for something else", retryable: false, status: 409 },
  room_closed: { message: "Room is closed", retryable: false, status: 409 },
  muted: { message: "You are muted in this room", retryable: false, status: 403 },
  too_large: { message: "This is too large", retryable: false, status: 413 },
  rate_limited: { message: "Too many events; wait retryAfterMs and send it again", retryable: true, status: 429 },
  timer_already_started: { message: "Timer already started", retryable: false, status: 409 },
  timer_already_stopped: { message: "Timer already stopped", retryable: false, status: 409 },
  unavailable: { message: "Not to be had for the moment; send it again", retryable: true, status: 503 },
  internal: { message: "Something went wrong on our side; send it again", retryable: true, status: 500 },
} as const;

export type ErrorCode = keyof typeof errors;

/** A refusal that reaches the asker as a reply with `success:false`. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string = errors[code].message) {
    super(message);
    this.code = code;
  }

  get statusCode(): number {
    return errors[this.code].status;
  }
}

/**
 * Something this answer needs can't be reached for the moment: a store, Redis, a worker. The asker gets the code
 * `unavailable` with `told`; the message, which may name addresses, is for logs.
 */
export class Unavailable extends Error {
  override name = "Unavailable";
  readonly code = "unavailable";
  readonly statusCode: number = errors.unavailable.status;
  readonly told: string = errors.unavailable.message;
}
