/** `Register`: who it is, the rooms they return to, and what waited for it. */
import { type ActiveUsersData, type ClientEvent, limits, Refusal, type Resume } from "@parley/protocol";
import type { Arrive } from "./arrive.ts";
import type { Authenticate } from "./authenticate.ts";
import { type RequestId, replyFrame } from "./frames.ts";
import type { Hub } from "./hub.ts";
import type { Join } from "./join.ts";
import type { People } from "./people.ts";
import type { Presence } from "./presence.ts";
import type { Replies } from "./replies.ts";
import { identify, type Session } from "./session.ts";
import type { UserLimits } from "./user-limits.ts";

export interface RegisterOptions {
  arrive: Arrive;
  hub: Hub;
  people: People;
  authenticate: Authenticate;
  userLimits: UserLimits;
  join: Join;
  presence: Presence;
  onIdentified: (session: Session) => void;
  replies: Replies;
}

type RegisterEvent = Extract<ClientEvent, { event: "Register" }>;

/** Each call is answered once, and never rejects. */
export function createRegister(options: RegisterOptions) {
  const { arrive, hub, people, authenticate, join, presence, onIdentified } = options;
  const { answered, fail } = options.replies;

  /** Joins the rooms a returning client was in; `entered` lets it hear of them once the reply has left. */
  const rejoin = async (
    session: Session,
    resumes: Resume[],
  ): Promise<{ json: string; entered: (() => void)[]; names: string[] }> => {
    const entered: (() => void)[] = [];
    const names: string[] = [];
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
                names.push(room.name);
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
    return { json: parts.join(","), entered, names };
  };

  return async (session: Session, id: RequestId, event: RegisterEvent) => {
    session.stage = "registering";
    try {
      const identity = await authenticate.register(event);
      if (!options.userLimits.mayEnter(identity.user.id))
        throw new Refusal("forbidden", `A user may have ${limits.userSessions} sessions at most`);
      const memberships = await arrive(identity);
      if (session.stage !== "registering") return;
      identify(session, identity);
      const { id: userId, name, guest } = identity.user;
      const user = JSON.stringify({ id: userId, name, guest });
      const { expiresAtMs } = identity.credential;
      const { json: rooms, entered, names } = await rejoin(session, event.rooms);
      let activeUsers: ActiveUsersData | null = null;
      if (session.stage === "registering") {
        people.add(session, memberships);
        session.presence = event.presence;
        session.entering = names;
        presence.report.changed(session);
        activeUsers = await presence.firstPage(session);
      }
      if (session.stage === "registering") {
        const seen = event.withInfo ? activeUsers?.users.find((each) => each.id === userId) : undefined;
        const parts = [`"user":${seen ? JSON.stringify(seen) : user}`];
        if (identity.token) parts.push(`"token":${JSON.stringify(identity.token)}`);
        if (expiresAtMs !== null) parts.push(`"expiresAt":"${new Date(expiresAtMs).toISOString()}"`);
        parts.push(`"activeUsers":${JSON.stringify(activeUsers)}`);
        if (event.rooms.length > 0) parts.push(`"rooms":{${rooms}}`);
        answered(session, replyFrame("Register", id, `{${parts.join(",")}}`));
        session.stage = "registered";
        onIdentified(session);
      }
      // Also for a session that is gone by now: the rooms were opened for it.
      for (const enter of entered) enter();
      if (session.entering.length > 0) {
        session.entering = [];
        if (session.stage === "registered") presence.report.changed(session);
      }
    } catch (error) {
      if (session.stage !== "registering") return;
      session.stage = "open";
      fail(session, "Register", id, error);
      if (error instanceof Refusal && error.code === "unauthorized") {
        session.link.close("unauthorized");
        return;
      }
      if (error instanceof Refusal && error.code === "forbidden") return session.link.close("limit");
    }
    const held = session.held ?? [];
    session.held = null;
    for (const again of held) again();
  };
}
