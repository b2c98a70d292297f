/** Asks a chat worker whether somebody may be here; it knows who ended and who was put out. */
import { type ChatAnswer, type ChatRequest, partitionOf, type Requester, Unanswered } from "@parley/bus";
import { Refusal } from "@parley/protocol";
import type { Identity } from "./authenticate.ts";

/** Resolves with the rooms whose member the user is. Rejects with a Refusal. */
export type Arrive = (identity: Identity) => Promise<string[]>;

export const createArrive =
  (chat: Requester<ChatRequest, ChatAnswer>): Arrive =>
  ({ user, infoJson, fresh, credential }) =>
    new Promise((resolve, reject) => {
      const { issuedAtMs, tokenId } = credential;
      chat.ask(partitionOf(user.id), { kind: "arrive", user, infoJson, fresh, issuedAtMs, tokenId }, (answer) => {
        if (answer instanceof Unanswered)
          reject(new Refusal("unavailable", "No chat worker answered in time; try again"));
        else if (answer.kind === "refused") reject(new Refusal(answer.code, answer.error));
        else if (answer.kind === "json") resolve((JSON.parse(answer.json) as { memberships: string[] }).memberships);
      });
    });
