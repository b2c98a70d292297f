import type { PendingMessage, Room } from "@parley/client";
import { Icon } from "./icon.tsx";

/** An own message that is on its way, or that was refused. */
export function PendingRow({ room, message }: { room: Room; message: PendingMessage }) {
  const { clientMessageId, text, state, error } = message;
  const failed = state === "failed";
  return (
    <div className={`row own opens closes ${failed ? "failed" : "pending"}`}>
      <div className="row-body">
        <div className="bubble">
          <span className="text">{text}</span>
          {failed ? null : (
            <span className="meta" title="On its way">
              <Icon name="clock" />
              <span className="visually-hidden">On its way</span>
            </span>
          )}
        </div>
        {failed ? (
          <p className="failure" role="alert">
            Not sent: {error?.message}{" "}
            <button type="button" className="link-button" onClick={() => room.retry(clientMessageId)}>
              Try again
            </button>
            <button type="button" className="link-button" onClick={() => room.discard(clientMessageId)}>
              Discard
            </button>
          </p>
        ) : null}
      </div>
    </div>
  );
}
