/** The decision of the log, pure: which of the waiting drafts are new, which repeats, and what number each new one gets. */
import type { LogHead, NewEntry } from "@parley/store";
import { type Draft, encodeBody } from "./entry.ts";

export interface Earlier {
  seq: number;
  digest: number;
  atMs: number;
}

export type Verdict =
  | { kind: "new"; seq: number }
  /** The same was stored before; or, `within`, it comes twice among these drafts and is stored with them. */
  | { kind: "repeat"; earlier: Earlier; within: boolean }
  /** The same id was used for something else. */
  | { kind: "conflict" };

export const idOf = (draft: { sender: string; clientMessageId: string }): string =>
  `${draft.sender}\n${draft.clientMessageId}`;

/** Numbers drafts from head + 1 on. `earlierOf` tells what is known of an id; verdicts come in the order of the drafts. */
export function numberEntries(
  head: Pick<LogHead, "seq" | "count">,
  drafts: readonly Draft[],
  earlierOf: (id: string) => Earlier | undefined,
  atMs: number,
): { entries: NewEntry[]; verdicts: Verdict[] } {
  const entries: NewEntry[] = [];
  const verdicts: Verdict[] = [];
  let within: Map<string, Earlier> | null = null;
  const at = new Date(atMs).toISOString();
  let { seq, count } = head;
  for (const draft of drafts) {
    const id = idOf(draft);
    const stored = earlierOf(id);
    const earlier = stored ?? within?.get(id);
    if (earlier) {
      const repeat = { kind: "repeat", earlier, within: stored === undefined } as const;
      verdicts.push(earlier.digest === draft.digest ? repeat : { kind: "conflict" });
      continue;
    }
    seq++;
    if (draft.kind === "message") count++;
    entries.push({
      seq,
      count,
      kind: draft.kind,
      sender: draft.sender,
      clientMessageId: draft.clientMessageId,
      digest: draft.digest,
      atMs,
      target: draft.target,
      body: encodeBody(draft, seq, at),
    });
    verdicts.push({ kind: "new", seq });
    if (drafts.length > 1) {
      within ??= new Map();
      within.set(id, { seq, digest: draft.digest, atMs });
    }
  }
  return { entries, verdicts };
}
