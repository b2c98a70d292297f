/** What sessions are answered: each event gets one reply. */
import { type ChatAnswer, partitionOf, type Requester, Unanswered } from "@parley/bus";
import { type ErrorCode, Refusal, Unavailable } from "@parley/protocol";
import { createEvenRefusals } from "./even-refusals.ts";
import { type RequestId, refusalFrame, replyFrame } from "./frames.ts";
import type { Session } from "./session.ts";

export interface Replies {
  /** Replies that were no success, by code. */
  refusals: Map<ErrorCode, number>;
  /** Sends the reply to one event. */
  answered(session: Session, frame: string): void;
  refuse(
    session: Session,
    event: string | null,
    id: RequestId,
    code: ErrorCode,
    error: string,
    retryAfterMs?: number,
  ): void;
  /** Answers with what a worker refused, which was asked at `askedAtMs`: what hides a room at an even beat (even-refusals.ts). */
  refuseAsked(askedAtMs: number, session: Session, event: string, id: RequestId, code: ErrorCode, error: string): void;
  /** The beat. */
  sweep(nowMs: number): void;
  /** Answers with what was thrown, where a client may know it. */
  fail(session: Session, event: string, id: RequestId, error: unknown): void;
  /** Answers with what `work` gives, or why it does not. */
  reply(session: Session, event: string, id: RequestId, work: Promise<unknown>): void;
  /** Asks the worker that has `key` (a room, or a user); its answer is the reply's data. */
  pass<Request>(
    requester: Requester<Request, ChatAnswer>,
    session: Session,
    event: string,
    id: RequestId,
    key: string,
    request: Request,
  ): void;
}

export const unansweredError = "No worker answered in time; send it again";

export function createReplies(onError: (error: unknown, what: string) => void): Replies {
  const refusals: Replies["refusals"] = new Map();

  const answered: Replies["answered"] = (session, frame) => {
    session.link.send(frame);
    if (--session.unanswered === 0) session.onAnswered?.();
  };

  const refuse: Replies["refuse"] = (session, event, id, code, error, retryAfterMs) => {
    refusals.set(code, (refusals.get(code) ?? 0) + 1);
    answered(session, refusalFrame(event, id, code, error, retryAfterMs));
  };

  const evenRefusals = createEvenRefusals();

  const refuseAsked: Replies["refuseAsked"] = (askedAtMs, session, event, id, code, error) => {
    const tell = () => refuse(session, event, id, code, error);
    if (code === "forbidden") evenRefusals.tell(askedAtMs, tell);
    else tell();
  };

  const fail: Replies["fail"] = (session, event, id, error) => {
    if (error instanceof Refusal) return refuse(session, event, id, error.code, error.message);
    if (error instanceof Unavailable) return refuse(session, event, id, "unavailable", error.told);
    onError(error, `${event} failed`);
    refuse(session, event, id, "internal", "Something went wrong on our side; send it again");
  };

  return {
    refusals,
    answered,
    refuse,
    refuseAsked,
    sweep: evenRefusals.sweep,
    fail,
    reply: (session, event, id, work) =>
      void work.then(
        (data) => answered(session, replyFrame(event, id, JSON.stringify(data ?? {}))),
        (error) => fail(session, event, id, error),
      ),
    pass: (requester, session, event, id, key, request) => {
      const askedAtMs = performance.now();
      requester.ask(partitionOf(key), request, (answer) => {
        if (answer instanceof Unanswered) refuse(session, event, id, "unavailable", unansweredError);
        else if (answer.kind === "refused") refuseAsked(askedAtMs, session, event, id, answer.code, answer.error);
        else if (answer.kind === "json") answered(session, replyFrame(event, id, answer.json));
      });
    },
  };
}
