import type { Message, Room } from "@parley/client";
import { memo } from "react";
import { Avatar } from "./avatar.tsx";
import { formatClock, formatWhole } from "./format-time.ts";
import { hueOf } from "./hue.ts";
import { LinkedText } from "./linked-text.tsx";
import { MessageActions } from "./message-actions.tsx";
import { Reactions } from "./reactions.tsx";

interface Props {
  room: Room;
  message: Message;
  me: string;
  /** First and last of its group. */
  opens: boolean;
  closes: boolean;
  /** The message it answers, if any; `older` when that one is not loaded. */
  answered: Message | "older" | null;
  /** One message at a time is reached by Tab; the arrow keys reach the others. */
  inTabOrder: boolean;
  onFocus(seq: number): void;
  onReply(message: Message): void;
  onEdit(message: Message): void;
}

const emojiOnly =
  /^(?:\p{Extended_Pictographic}[\u{fe0f}\u{1f3fb}-\u{1f3ff}]*(?:\u{200d}\p{Extended_Pictographic}\u{fe0f}?)*\s*){1,3}$/u;

export const MessageRow = memo(function MessageRow(props: Props) {
  const { room, message, me, opens, closes, answered, inTabOrder, onFocus, onReply, onEdit } = props;
  const { seq, sender, text, deleted } = message;
  if (message.kind === "system") return <p className="system">{text}</p>;
  const own = sender.id === me;
  const classes = ["row", own ? "own" : "theirs", opens ? "opens" : "", closes ? "closes" : ""].join(" ");
  return (
    <article className={classes} data-seq={seq} tabIndex={inTabOrder ? 0 : -1} onFocus={() => onFocus(seq)}>
      {own ? null : <div className="row-avatar">{closes ? <Avatar id={sender.id} name={sender.name} /> : null}</div>}
      <div className="row-body">
        {opens && !own ? <strong className={`row-sender ${hueOf(sender.id)}`}>{sender.name}</strong> : null}
        <div className="bubble">
          {answered ? <Quote answered={answered} /> : null}
          {deleted ? (
            <em className="deleted">Message deleted</em>
          ) : (
            <>
              {text === null ? null : (
                <span className={emojiOnly.test(text) ? "text jumbo" : "text"}>
                  <LinkedText text={text} />
                </span>
              )}
              {message.data === null ? null : <pre className="data">{JSON.stringify(message.data, null, 1)}</pre>}
            </>
          )}
          <span className="meta">
            {message.editedAt && !deleted ? <span title={formatWhole(message.editedAt)}>edited </span> : null}
            <time dateTime={message.at} title={formatWhole(message.at)}>
              {formatClock(message.at)}
            </time>
          </span>
        </div>
        <Reactions room={room} message={message} me={me} />
      </div>
      {deleted ? null : <MessageActions {...{ room, message, me, onReply, onEdit }} />}
    </article>
  );
});

function Quote({ answered }: { answered: Message | "older" }) {
  if (answered === "older") return <span className="quote">An earlier message</span>;
  const { seq, sender, text } = answered;
  const show = () => {
    const row = document.querySelector<HTMLElement>(`[data-seq="${seq}"]`);
    row?.scrollIntoView({ block: "center" });
    row?.focus({ preventScroll: true });
  };
  return (
    <button type="button" className={`quote ${hueOf(sender.id)}`} onClick={show}>
      <strong>{sender.name}</strong>
      <span>{text ?? (answered.deleted ? "Message deleted" : "Data")}</span>
    </button>
  );
}
