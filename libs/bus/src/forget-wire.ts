/** On `subjects.forget()`, as JSON, answered with `{ok}`: what the service with notifications and SMS has to forget. */
export interface ForgetRequest {
  user: string;
  /** The person's phone numbers. */
  phones: string[];
}
