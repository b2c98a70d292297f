/** `RefreshToken`: another token of the same user takes over from the one the session rests on. */
import { hasRightIn } from "@parley/bus";
import { Refusal } from "@parley/protocol";
import type { Authenticate, Identity } from "./authenticate.ts";
import { type RequestId, replyFrame, roomEventFrame } from "./frames.ts";
import type { HubRoom } from "./hub.ts";
import type { Replies } from "./replies.ts";
import { identify, type Session } from "./session.ts";

export interface RefreshTokenOptions {
  authenticate: Authenticate;
  /** Asks a worker whether the bearer may be here. */
  arrive: (identity: Identity) => Promise<string[]>;
  /** Puts the session out of a room. */
  leave: (session: Session, room: HubRoom) => void;
  onIdentified: (session: Session) => void;
  replies: Replies;
}

/** Each call is answered once, and never rejects. What is refused leaves the session as it was, until its own token ends. */
export function createRefreshToken({ authenticate, arrive, leave, onIdentified, replies }: RefreshTokenOptions) {
  const { answered, fail } = replies;
  /** Rooms that the new token does not reach: the session hears that it is out of them, as when it is removed. */
  const leaveForbidden = (session: Session, { user }: Identity) => {
    for (const room of [...session.rooms.values()]) {
      if (hasRightIn(user.rights, "join", room.name)) continue;
      leave(session, room);
      const data = JSON.stringify({ user: { id: user.id }, removed: true });
      session.link.send(roomEventFrame("room.left", room.nameJson, data));
    }
  };

  return async (session: Session, id: RequestId, token: string) => {
    try {
      const identity = await authenticate.token(token);
      // With a token of the application's for the guest's own id, the guest becomes a user, in all that they are in.
      if (session.user?.guest && identity.user.guest)
        throw new Refusal("bad_request", "A guest's token does not run out while connected");
      if (identity.user.id !== session.user?.id)
        throw new Refusal("unauthorized", "This token is another user's: connect anew to be somebody else");
      await arrive(identity);
      identify(session, identity);
      onIdentified(session);
      leaveForbidden(session, identity);
      const expiresAt = new Date(identity.credential.expiresAtMs as number).toISOString();
      answered(session, replyFrame("RefreshToken", id, JSON.stringify({ expiresAt })));
    } catch (error) {
      fail(session, "RefreshToken", id, error);
    }
  };
}
