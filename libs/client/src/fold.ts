import type { Entry, Sender } from "@parley/protocol";

export interface Reaction {
  emoji: string;
  /** Who reacted so, in order. */
  by: readonly Sender[];
}

/** A message as a person sees it: with its edits, its reactions and its deletion. Never changed, only replaced. */
export interface Message {
  seq: number;
  kind: "message" | "system";
  sender: Sender;
  text: string | null;
  data: unknown;
  /** The seq of the message this one answers. */
  replyTo: number | null;
  /** ISO 8601, UTC. */
  at: string;
  clientMessageId: string | null;
  /** When it was edited last. */
  editedAt: string | null;
  deleted: boolean;
  reactions: readonly Reaction[];
}

const isDeleted = { text: null, data: null, deleted: true, reactions: [] };

const toMessage = (entry: Entry, kind: "message" | "system"): Message => ({
  seq: entry.seq,
  kind,
  sender: entry.sender,
  text: entry.text ?? null,
  data: entry.data ?? null,
  replyTo: entry.replyTo ?? null,
  at: entry.at,
  clientMessageId: entry.clientMessageId ?? null,
  editedAt: null,
  deleted: false,
  reactions: [],
  ...(entry.deleted ? isDeleted : {}),
});

function react(reactions: readonly Reaction[], { emoji = "", sender, remove }: Entry): readonly Reaction[] {
  const others = (reactions.find((reaction) => reaction.emoji === emoji)?.by ?? []).filter(
    ({ id }) => id !== sender.id,
  );
  const by = remove ? others : [...others, sender];
  const known = reactions.some((reaction) => reaction.emoji === emoji);
  const changed = known
    ? reactions.map((reaction) => (reaction.emoji === emoji ? { emoji, by } : reaction))
    : [...reactions, { emoji, by }];
  return changed.filter((reaction) => reaction.by.length > 0);
}

/**
 * Applies one entry of the log to the messages (by seq, in order). An entry whose target is not held here is of an older
 * message, which History will bring with it applied in its turn.
 */
export function foldEntry(messages: Map<number, Message>, entry: Entry): void {
  if (entry.kind === "message" || entry.kind === "system") {
    messages.set(entry.seq, toMessage(entry, entry.kind));
    return;
  }
  const message = messages.get(entry.target ?? -1);
  if (!message || message.deleted) return;
  if (entry.kind === "edited") {
    messages.set(message.seq, { ...message, text: entry.text ?? message.text, editedAt: entry.at });
  } else if (entry.kind === "deleted") {
    messages.set(message.seq, { ...message, ...isDeleted });
  } else if (entry.kind === "reacted") {
    messages.set(message.seq, { ...message, reactions: react(message.reactions, entry) });
  }
}
