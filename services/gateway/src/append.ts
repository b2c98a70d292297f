/** What goes into a room's log: the reply says which entry it became. */
import { type ChatAnswer, type ChatRequest, partitionOf, type Requester, Unanswered } from "@parley/bus";
import { type Amend, type ErrorCode, errors, type SendMessage } from "@parley/protocol";
import { type RequestId, replyFrame } from "./frames.ts";
import { type Replies, unansweredError } from "./replies.ts";
import type { Session } from "./session.ts";

/** `roomJson`: the room's name as JSON, where that is at hand. */
export type Append = (
  session: Session,
  id: RequestId,
  event: SendMessage | Amend,
  request: ChatRequest,
  roomJson?: string,
) => void;

export const createAppend =
  (chat: Requester<ChatRequest, ChatAnswer>, { answered, refuseAsked }: Replies): Append =>
  (session, id, { event, room, clientMessageId, after }, request, roomJson = JSON.stringify(room)) => {
    const askedAtMs = performance.now();
    const refuseThis = (code: ErrorCode, error: string) => {
      if (errors[code].retryable) session.inOrder.refused(clientMessageId);
      refuseAsked(askedAtMs, session, event, id, code, error);
    };
    chat.ask(
      partitionOf(room),
      request,
      (answer) => {
        if (answer instanceof Unanswered) refuseThis("unavailable", unansweredError);
        else if (answer.kind === "refused") refuseThis(answer.code, answer.error);
        else if (answer.kind === "sent") {
          const { seq, atMs, duplicate } = answer;
          const data = `{"room":${roomJson},"seq":${seq},"at":"${isoOf(atMs)}","duplicate":${duplicate}}`;
          answered(session, replyFrame(event, id, data));
        }
      },
      () => session.inOrder.mayGo(clientMessageId, after),
    );
  };

const isoOf = (() => {
  let lastMs = -1;
  let last = "";
  // Replies of one batch share their time.
  return (atMs: number): string => {
    if (atMs !== lastMs) {
      lastMs = atMs;
      last = new Date(atMs).toISOString();
    }
    return last;
  };
})();
