import { type Requester, Unanswered } from "./requester.ts";

/** Asks once, with a promise of the answer; it rejects with Unanswered. For questions so few that a promise each costs nothing. */
export const promised =
  <Request, Answer>(requester: Requester<Request, Answer>) =>
  (partition: number, request: Request): Promise<Answer> =>
    new Promise((resolve, reject) =>
      requester.ask(partition, request, (answer) => (answer instanceof Unanswered ? reject(answer) : resolve(answer))),
    );
