/** Ends the sessions of those whose tokens were revoked (4503): told by an order, and looked up in case one was lost. */
import type { Bearer, ChatAnswer, ChatAsk, GatewayOrder } from "@parley/bus";
import { partitionOf } from "@parley/bus";
import type { Session } from "./session.ts";

type Revocation = Extract<GatewayOrder, { order: "revoke" }>;

export interface Revocations {
  obey(order: Revocation): void;
  /** A session has a credential, or another one. Answers false, and ends it, when that was revoked just now. */
  identified(session: Session): void;
  /** Asks for all sessions: after NATS was away, an order may have been missed. */
  lookUp(): Promise<void>;
}

export interface RevocationsOptions {
  sessions: () => Iterable<Session>;
  ask: (partition: number, request: ChatAsk) => Promise<ChatAnswer>;
}

/** Longer than a registration can take between the worker's word and the session's place here. */
const rememberedMs = 60_000;
const perRequest = 1_000;

const concerns = ({ user, tokenId, beforeMs }: Revocation, bearer: Bearer): boolean =>
  (user === bearer.user || (tokenId !== null && tokenId === bearer.tokenId)) && bearer.issuedAtMs <= beforeMs;

function bearerOf({ user, credential }: Session): Bearer | null {
  return user && credential ? { user: user.id, issuedAtMs: credential.issuedAtMs, tokenId: credential.tokenId } : null;
}

export function createRevocations({ sessions, ask }: RevocationsOptions): Revocations {
  let recent: { order: Revocation; atMs: number }[] = [];

  const end = (session: Session) => {
    if (session.stage !== "leaving" && session.stage !== "closed") session.link.close("removed");
  };

  return {
    obey(order) {
      const nowMs = performance.now();
      recent = recent.filter(({ atMs }) => nowMs - atMs < rememberedMs);
      recent.push({ order, atMs: nowMs });
      for (const session of sessions()) {
        const bearer = bearerOf(session);
        if (bearer && concerns(order, bearer)) end(session);
      }
    },
    identified(session) {
      const bearer = bearerOf(session);
      if (bearer && recent.some(({ order }) => concerns(order, bearer))) end(session);
    },
    async lookUp() {
      const all = [...sessions()].flatMap((session) => {
        const bearer = bearerOf(session);
        return bearer ? [{ session, bearer }] : [];
      });
      for (let i = 0; i < all.length; i += perRequest) {
        const some = all.slice(i, i + perRequest);
        const bearers = some.map(({ bearer }) => bearer);
        const answer = await ask(partitionOf(bearers[0]?.user ?? ""), { kind: "revoked", bearers });
        if (answer.kind !== "json") continue;
        const revoked = JSON.parse(answer.json) as boolean[];
        some.forEach(({ session, bearer }, n) => {
          // It may have got another token meanwhile.
          if (revoked[n] && session.credential?.issuedAtMs === bearer.issuedAtMs) end(session);
        });
      }
    },
  };
}
