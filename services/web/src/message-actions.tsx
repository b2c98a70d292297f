import type { Message, Room } from "@parley/client";
import { Icon } from "./icon.tsx";
import { hasReacted } from "./reactions.tsx";

const emojis = ["👍", "❤️", "😂"];

interface Props {
  room: Room;
  message: Message;
  me: string;
  onReply(message: Message): void;
  onEdit(message: Message): void;
}

/** What can be done with a message; seen while the pointer or the focus is on it. */
export function MessageActions({ room, message, me, onReply, onEdit }: Props) {
  const own = message.sender.id === me;
  const react = (emoji: string) =>
    room.react(message.seq, emoji, { remove: hasReacted(message, emoji, me) }).catch(() => {});
  return (
    <div className="actions" role="toolbar" aria-label="Message">
      {emojis.map((emoji) => (
        <button type="button" key={emoji} aria-label={`React ${emoji}`} onClick={() => react(emoji)}>
          {emoji}
        </button>
      ))}
      <button type="button" title="Reply" aria-label="Reply" onClick={() => onReply(message)}>
        <Icon name="reply" />
      </button>
      {own && message.text !== null ? (
        <button type="button" title="Edit" aria-label="Edit" onClick={() => onEdit(message)}>
          <Icon name="edit" />
        </button>
      ) : null}
      {own ? (
        <button
          type="button"
          title="Delete"
          aria-label="Delete"
          onClick={() => room.delete(message.seq).catch(() => {})}
        >
          <Icon name="delete" />
        </button>
      ) : null}
    </div>
  );
}
