/** Who may say something passing in a room, type or emit: the worker that has the room decides, and its yes holds for a moment. */
import { type ChatAnswer, type ChatRequest, partitionOf, type Requester, Unanswered } from "@parley/bus";
import { Refusal, Unavailable } from "@parley/protocol";
import { unansweredError } from "./replies.ts";
import type { Session } from "./session.ts";

/** So long a mute, or a room that was closed, may go unnoticed by what is stored nowhere. */
const holdsMs = 2_000;
const maxKept = 1_000;

/** Tells `done` what speaks against it, or null; at once where the worker said so a moment ago. Answers come in the order of the questions. */
export type MaySpeak = (session: Session, room: string, done: (against: Refusal | Unavailable | null) => void) => void;

interface Yes {
  /** With another token, which is another actor, it is asked anew. */
  user: Session["user"];
  untilMs: number;
}

export function createMaySpeak(chat: Requester<ChatRequest, ChatAnswer>): MaySpeak {
  const yeses = new WeakMap<Session, Map<string, Yes>>();

  return (session, room, done) => {
    const user = session.user as NonNullable<Session["user"]>;
    const known = yeses.get(session)?.get(room);
    if (known && known.user === user && known.untilMs > performance.now()) return done(null);
    chat.ask(partitionOf(room), { kind: "speak", user, room }, (answer) => {
      if (answer instanceof Unanswered) return done(new Unavailable(unansweredError));
      if (answer.kind === "refused") return done(new Refusal(answer.code, answer.error));
      const own = yeses.get(session) ?? new Map<string, Yes>();
      if (own.size >= maxKept) own.clear();
      yeses.set(session, own.set(room, { user, untilMs: performance.now() + holdsMs }));
      done(null);
    });
  };
}
