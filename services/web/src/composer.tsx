import type { Message, Room, RoomSnapshot } from "@parley/client";
import { type KeyboardEvent, type SubmitEvent, useEffect, useId, useRef, useState } from "react";
import { Icon } from "./icon.tsx";

/** What the text being written is going to be. */
export type Draft = { kind: "new" } | { kind: "reply" | "edit"; message: Message };

interface Props {
  room: Room;
  snapshot: RoomSnapshot;
  me: string;
  draft: Draft;
  onDraft(draft: Draft): void;
}

export function Composer({ room, snapshot, me, draft, onDraft }: Props) {
  const [text, setText] = useState("");
  const [error, setError] = useState<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const id = useId();

  // Reply or edit was chosen beside a message: the hands want to be here now.
  useEffect(() => {
    if (draft.kind === "new") return;
    if (draft.kind === "edit") setText(draft.message.text ?? "");
    field.current?.focus();
  }, [draft]);

  function done() {
    setText("");
    setError(null);
    onDraft({ kind: "new" });
  }

  function cancel() {
    if (draft.kind === "edit") setText("");
    onDraft({ kind: "new" });
  }

  function write(value: string) {
    setText(value);
    if (draft.kind !== "edit") room.typing(value !== "");
  }

  function submit(event?: SubmitEvent) {
    event?.preventDefault();
    const content = text.trim();
    if (!content) return;
    if (draft.kind === "edit") room.edit(draft.message.seq, content).catch((cause: Error) => setError(cause.message));
    else void room.send({ text: content, replyTo: draft.kind === "reply" ? draft.message.seq : undefined });
    done();
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && draft.kind !== "new") {
      cancel();
    } else if (event.key === "ArrowUp" && text === "") {
      const own = snapshot.messages.findLast(({ sender, deleted }) => sender.id === me && !deleted);
      if (own?.text) {
        event.preventDefault();
        onDraft({ kind: "edit", message: own });
      }
    }
  }

  return (
    <form className="composer" onSubmit={submit}>
      {draft.kind === "new" ? null : (
        <div className="draft">
          {draft.kind === "edit" ? <Icon name="edit" /> : <Icon name="reply" />}
          <span>
            <strong>{draft.kind === "edit" ? "Edit your message" : `Reply to ${draft.message.sender.name}`}</strong>
            <span className="draft-text">{draft.message.text}</span>
          </span>
          <button type="button" className="icon-button" aria-label="Cancel" onClick={cancel}>
            <Icon name="close" />
          </button>
        </div>
      )}
      {error ? (
        <p className="failure" role="alert">
          {error}
        </p>
      ) : null}
      <div className="composer-line">
        <label className="visually-hidden" htmlFor={id}>
          Message to {room.name}
        </label>
        <textarea
          id={id}
          ref={field}
          rows={1}
          value={text}
          placeholder={`Message ${room.name}`}
          onChange={(event) => write(event.target.value)}
          onKeyDown={onKeyDown}
          enterKeyHint="send"
        />
        <button type="submit" className="send" aria-label="Send" disabled={!text.trim()}>
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}
