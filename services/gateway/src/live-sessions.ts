/** The sessions of this node, registered or not (who has said nothing yet has none), and when one of them has to end. */
import { type ChatAnswer, type ChatAsk, partitionOf } from "@parley/bus";
import { limits } from "@parley/protocol";
import { closeWhenAnswered } from "./drain.ts";
import type { Session } from "./session.ts";

export interface LiveSessions {
  all: ReadonlySet<Session>;
  opened(session: Session): void;
  closed(session: Session): void;
  /** A session has a credential, or another one. */
  identified(session: Session): void;
  /** How many have ended so far. */
  ended(): number;
  /** Resolves when none is left, or after `ms`. */
  untilNone(ms: number): Promise<void>;
  /** Watches them no longer, and tells which guests were here last. */
  close(): void;
}

const unregisteredEveryMs = 50;
const tokensEveryMs = 500;
const tellSeenEveryMs = 5_000;
const seeAllEveryMs = 60 * 60 * 1000;
const seenPerRequest = 1_000;
/** Who ends so soon after registering, which the store noted, is not told of again: many come and go in no time. */
const notedMs = 5_000;

export function createLiveSessions(ask: (partition: number, request: ChatAsk) => Promise<ChatAnswer>): LiveSessions {
  const all = new Set<Session>();
  /** Those who have spoken and not registered yet. */
  const unregistered = new Set<Session>();
  /** Those whose token runs out some time. */
  const withEnd = new Set<Session>();
  /** Guests last a day beyond their last session: the store is to hear that these are here, or were until now. */
  const seenGuests = new Set<string>();
  let ended = 0;
  let onNone: (() => void) | null = null;

  /** Often, so that a thousand that came in one second don't all go in one turn. */
  const endUnregistered = () => {
    const nowMs = performance.now();
    for (const session of unregistered) {
      if (nowMs - session.openedAtMs < limits.registerWithinMs) continue;
      // One whose registration fails is not let in by having tried: it is looked at again.
      if (session.stage === "registering") continue;
      unregistered.delete(session);
      if (session.stage === "open") session.link.close("notRegistered");
    }
  };

  const endExpired = () => {
    for (const session of withEnd) {
      if ((session.credential?.expiresAtMs ?? 0) > Date.now()) continue;
      withEnd.delete(session);
      closeWhenAnswered(session, "tokenEnded");
    }
  };

  const see = ({ user }: Session) => {
    if (user?.guest) seenGuests.add(user.id);
  };

  const tellSeen = () => {
    const users = [...seenGuests];
    seenGuests.clear();
    for (let i = 0; i < users.length; i += seenPerRequest) {
      const some = users.slice(i, i + seenPerRequest);
      ask(partitionOf(some[0] as string), { kind: "seen", users: some }).catch(() => {
        // Nobody there now: the next round says it again.
        for (const user of some) seenGuests.add(user);
      });
    }
  };

  const timers = [
    setInterval(endUnregistered, unregisteredEveryMs),
    setInterval(endExpired, tokensEveryMs),
    setInterval(tellSeen, tellSeenEveryMs),
    setInterval(() => all.forEach(see), seeAllEveryMs),
  ];

  return {
    all,
    opened(session) {
      all.add(session);
      unregistered.add(session);
    },
    closed(session) {
      ended++;
      all.delete(session);
      unregistered.delete(session);
      withEnd.delete(session);
      if (performance.now() - session.openedAtMs > notedMs) see(session);
      if (all.size === 0) onNone?.();
    },
    identified(session) {
      if (session.credential?.expiresAtMs != null) withEnd.add(session);
    },
    ended: () => ended,
    async untilNone(ms) {
      if (all.size === 0) return;
      const none = new Promise<void>((resolve) => (onNone = resolve));
      await Promise.race([none, new Promise((resolve) => setTimeout(resolve, ms))]);
    },
    close() {
      for (const timer of timers) clearInterval(timer);
      tellSeen();
    },
  };
}
