/** How a session comes to listen to a room: asked of a chat worker, with the room open at this node meanwhile. */
import { type ChatAnswer, type ChatRequest, partitionOf, type Requester, Unanswered } from "@parley/bus";
import type { ErrorCode, Resume } from "@parley/protocol";
import type { Hub, HubRoom } from "./hub.ts";
import type { Session } from "./session.ts";

/** `done` gets the room, still open for this join: it needs a `hub.enter`. */
export type Join = (
  session: Session,
  resume: Resume,
  quiet: boolean,
  done: (answer: Extract<ChatAnswer, { kind: "joined" }>, room: HubRoom) => void,
  refused: (code: ErrorCode, error: string) => void,
) => void;

export function createJoin(chat: Requester<ChatRequest, ChatAnswer>, hub: Hub): Join {
  return (session, resume, quiet, done, refused) => {
    const user = session.user as NonNullable<Session["user"]>;
    // Opened before it is asked for, so that nothing falls between the answer's head and the first live entry.
    const room = hub.open(resume.room);
    if (!session.rooms.has(resume.room)) session.joining.add(resume.room);
    chat.ask(partitionOf(resume.room), { kind: "join", user, quiet, ...resume }, (answer) => {
      session.joining.delete(resume.room);
      if (!(answer instanceof Unanswered) && answer.kind === "joined") return done(answer, room);
      hub.cancel(room);
      if (answer instanceof Unanswered) refused("unavailable", "No chat worker answered in time; send it again");
      else if (answer.kind === "refused") refused(answer.code, answer.error);
    });
  };
}
