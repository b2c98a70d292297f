import type { Message, Room } from "@parley/client";

export const hasReacted = ({ reactions }: Message, emoji: string, me: string): boolean =>
  reactions.some((reaction) => reaction.emoji === emoji && reaction.by.some(({ id }) => id === me));

/** Who reacted how; a click joins in or takes it back. */
export function Reactions({ room, message, me }: { room: Room; message: Message; me: string }) {
  if (message.reactions.length === 0) return null;
  return (
    <div className="reactions">
      {message.reactions.map(({ emoji, by }) => {
        const mine = hasReacted(message, emoji, me);
        const names = by.map(({ id, name }) => (id === me ? "you" : name)).join(", ");
        return (
          <button
            type="button"
            key={emoji}
            aria-pressed={mine}
            title={names}
            aria-label={`${emoji} by ${names}`}
            onClick={() => room.react(message.seq, emoji, { remove: mine }).catch(() => {})}
          >
            {emoji} {by.length}
          </button>
        );
      })}
    </div>
  );
}
