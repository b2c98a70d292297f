/** What gateways ask notify workers, and what chat workers tell them. Answers are JSON: the reply's data. */
import type { Preferences } from "@parley/protocol";

export type NotifyRequest =
  | { kind: "list"; user: string; next: string | null; unreadOnly: boolean }
  /** `id` null: all of them. `session`: who asked, and need not be told. */
  | { kind: "read"; user: string; session: string; id: string | null }
  | { kind: "preferences"; user: string }
  | { kind: "prefer"; user: string; changes: Partial<Preferences> };

/**
 * A stored message that somebody may have to be told of: in a direct room or a ticket's, or one that mentions people.
 * Chat workers send these in batches as requests on `subjects.said()`, again and again until a notify worker (queue group
 * `notify`) answers: by then the notifications are recorded. The same message may come twice.
 */
export interface Said {
  room: string;
  /** Key of the room. */
  key: number;
  seq: number;
  why: "direct" | "ticket" | "mention";
  sender: { id: string; name: string };
  /** The text, up to 500 characters. */
  text: string;
}

export const notifyGroup = "notify";
