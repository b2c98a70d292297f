/** `Register`: who it is, the rooms they return to, and what waited for it. */
import { type ChatAnswer, type ChatRequest, partitionOf, type Requester, Unanswered } from "@parley/bus";
import { type ClientEvent, Refusal, type Resume } from "@parley/protocol";
import type { Authenticate } from "./authenticate.ts";
import { type RequestId, replyFrame } from "./frames.ts";
import type { Hub } from "./hub.ts";
import type { Join } from "./join.ts";
import type { People } from "./people.ts";
import type { Session } from "./session.ts";

export interface RegisterOptions {
  chat: Requester<ChatRequest, ChatAnswer>;
  hub: Hub;
  people: People;
  authenticate: Authenticate;
  join: Join;
  answered: (session: Session, frame: string) => void;
  fail: (session: Session, event: string, id: RequestId, error: unknown) => void;
}

type RegisterEvent = Extract<ClientEvent, { event: "Register" }>;

/** Each call is answered once, and never rejects. */
export function createRegister(options: RegisterOptions) {
  const { chat, hub, people, authenticate, join, answered, fail } = options;

  /** Joins the rooms a returning client was in; `entered` lets it hear of them once the reply has left. */
  const rejoin = async (session: Session, resumes: Resume[]): Promise<{ json: string; entered: (() => void)[] }> => {
    const entered: (() => void)[] = [];
    const parts = await Promise.all(
      resumes.map(
        (resume) =>
          new Promise<string>((resolve) =>
            join(
              session,
              resume,
              true,
              (answer, room) => {
                entered.push(() => hub.enter(room, session, answer.key, answer.head));
                resolve(`${room.nameJson}:${answer.json}`);
              },
              (code, error) => {
                const why = JSON.stringify({ error, code, retryable: code === "unavailable" || code === "internal" });
                resolve(`${JSON.stringify(resume.room)}:${why}`);
              },
            ),
          ),
      ),
    );
    return { json: parts.join(","), entered };
  };

  return async (session: Session, id: RequestId, event: RegisterEvent) => {
    session.stage = "registering";
    try {
      const identity = await authenticate(event);
      const { user } = identity;
      const arrived = await new Promise<ChatAnswer | Unanswered>((resolve) =>
        chat.ask(
          partitionOf(user.id),
          { kind: "arrive", user, infoJson: identity.infoJson, fresh: identity.fresh },
          resolve,
        ),
      );
      if (arrived instanceof Unanswered) throw new Refusal("unavailable", "No chat worker answered in time; try again");
      if (arrived.kind === "refused") throw new Refusal(arrived.code, arrived.error);
      if (session.stage !== "registering") return;
      session.user = user;
      session.senderJson = JSON.stringify({ id: user.id, name: user.name });
      const { memberships } = JSON.parse(arrived.kind === "json" ? arrived.json : "{}") as { memberships: string[] };
      const { json: rooms, entered } = await rejoin(session, event.rooms);
      if (session.stage === "registering") {
        people.add(session, memberships);
        const parts = [`"user":${JSON.stringify(user)}`];
        if (identity.token) parts.push(`"token":${JSON.stringify(identity.token)}`);
        parts.push(`"activeUsers":{"users":[${JSON.stringify(user)}],"total":1,"next":null}`);
        if (event.rooms.length > 0) parts.push(`"rooms":{${rooms}}`);
        answered(session, replyFrame("Register", id, `{${parts.join(",")}}`));
        session.stage = "registered";
      }
      // Also for a session that is gone by now: the rooms were opened for it.
      for (const enter of entered) enter();
    } catch (error) {
      if (session.stage !== "registering") return;
      session.stage = "open";
      fail(session, "Register", id, error);
      if (error instanceof Refusal && error.code === "unauthorized") {
        session.link.close("unauthorized");
        return;
      }
    }
    const held = session.held ?? [];
    session.held = null;
    for (const again of held) again();
  };
}
