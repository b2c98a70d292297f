/** Every error that a reply can carry: what it says unless something better is known, and whether asking again can help. */
export const errors = {
  bad_frame: { message: "This frame is not a client event", retryable: false },
  unknown_event: { message: "There is no such event", retryable: false },
  bad_request: { message: "A field of requestData is wrong", retryable: false },
  not_registered: { message: "Send Register first", retryable: false },
  already_registered: { message: "This connection is registered already", retryable: false },
  unauthorized: { message: "The token is missing, wrong or has run out", retryable: false },
  forbidden: { message: "You may not do this here", retryable: false },
  not_found: { message: "There is nothing by that name", retryable: false },
  conflict: { message: "This clientMessageId was used for something else", retryable: false },
  room_closed: { message: "Room is closed", retryable: false },
  muted: { message: "You are muted in this room", retryable: false },
  too_large: { message: "This is too large", retryable: false },
  rate_limited: { message: "Too many events; wait retryAfterMs and send it again", retryable: true },
  timer_already_started: { message: "Timer already started", retryable: false },
  timer_already_stopped: { message: "Timer already stopped", retryable: false },
  unavailable: { message: "Not to be had for the moment; send it again", retryable: true },
  internal: { message: "Something went wrong on our side; send it again", retryable: true },
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
}
