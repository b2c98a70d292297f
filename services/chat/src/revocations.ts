/** Tokens that hold no more: written down first, then told to all gateways, which end the sessions that rest on them. */
import type { Bearer, ChatAnswer } from "@parley/bus";
import { Refusal } from "@parley/protocol";
import type { RevocationSubject } from "@parley/store";
import type { ChatDeps } from "./chat.ts";

type Deps = Pick<ChatDeps, "store" | "deliver" | "now">;

/** Revokes all that was issued until now to the user, or one token. */
export async function revoke(deps: Deps, whom: { user: string } | { tokenId: string }): Promise<void> {
  const beforeMs = deps.now();
  const subject: RevocationSubject = "user" in whom ? `user:${whom.user}` : `token:${whom.tokenId}`;
  await deps.store.revocations.put(subject, beforeMs);
  deps.deliver.order({ order: "revoke", user: null, tokenId: null, ...whom, beforeMs });
}

/** Which of these were revoked, in their order. */
async function revokedOf(deps: Pick<ChatDeps, "store">, bearers: Bearer[]): Promise<boolean[]> {
  const subjects = bearers.flatMap(({ user, tokenId }): RevocationSubject[] => [
    `user:${user}`,
    // A token without an id has none that could be revoked; no id is empty.
    `token:${tokenId ?? ""}`,
  ]);
  const found = await deps.store.revocations.find(subjects);
  return bearers.map(({ issuedAtMs }, i) =>
    [found[2 * i], found[2 * i + 1]].some((beforeMs) => beforeMs != null && issuedAtMs <= beforeMs),
  );
}

export async function refuseRevoked(deps: Pick<ChatDeps, "store">, bearer: Bearer): Promise<void> {
  const [revoked] = await revokedOf(deps, [bearer]);
  if (revoked) throw new Refusal("unauthorized", "This token was revoked");
}

export async function answerRevoked(deps: Pick<ChatDeps, "store">, bearers: Bearer[]): Promise<ChatAnswer> {
  return { kind: "json", json: JSON.stringify(await revokedOf(deps, bearers)) };
}
