/** On `subjects.forget()`, as JSON, answered with `{ok}`: what the service with notifications and SMS has to forget. */
export interface ForgetRequest {
  user: string;
  /** The person's phone numbers. */
  phones: string[];
}

/** On `subjects.kept()`, as JSON, answered with KeptPage, or `{}` where the store is away: what that service keeps of a person. */
export interface KeptRequest extends ForgetRequest {
  /** `next` of the page before; null for the first. */
  next: string | null;
}

export interface KeptPage {
  /** Each an object of one member, which names what it is. */
  lines: object[];
  /** Null where nothing is left. */
  next: string | null;
}
