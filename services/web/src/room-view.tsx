import type { Message } from "@parley/client";
import { useConnection, useRoom, useTimer, useTyping } from "@parley/react";
import { useCallback, useState } from "react";
import { Announcer } from "./announcer.tsx";
import { Avatar } from "./avatar.tsx";
import { Composer, type Draft } from "./composer.tsx";
import { Icon } from "./icon.tsx";
import { MessageList } from "./message-list.tsx";
import { TimerPanel } from "./timer-panel.tsx";
import { TypingLine } from "./typing-line.tsx";

export function RoomView({ name }: { name: string }) {
  const [room, snapshot] = useRoom(name);
  const [typists] = useTyping(name);
  const [timer, countdown] = useTimer(name);
  const [timing, setTiming] = useState(false);
  const { user } = useConnection();
  const [draft, setDraft] = useState<Draft>({ kind: "new" });
  const reply = useCallback((message: Message) => setDraft({ kind: "reply", message }), []);
  const edit = useCallback((message: Message) => setDraft({ kind: "edit", message }), []);
  const me = user?.id ?? "";

  async function forget() {
    location.hash = "";
    await room.leave({ forget: true });
  }

  return (
    <section className="room" aria-label={`Room ${name}`}>
      <header className="room-head">
        <a className="icon-button room-back" href="#/" aria-label="All rooms">
          <Icon name="back" />
        </a>
        <Avatar id={name} name={name} shape="room" />
        <div className="room-title">
          <h2>{name}</h2>
          <small>{subtitle(snapshot.state, snapshot.members)}</small>
        </div>
        <button
          type="button"
          className={`text-button timer-open${countdown.timer?.state === "running" ? " timer-runs" : ""}`}
          aria-label={countdown.timer ? `Timer, ${countdown.time}` : "Timer"}
          aria-expanded={timing}
          onClick={() => setTiming(!timing)}
        >
          <Icon name="clock" />
          {countdown.timer && countdown.timer.version > 0 ? countdown.time : "Timer"}
        </button>
        <button type="button" className="text-button" onClick={forget}>
          Leave
        </button>
      </header>
      {snapshot.state === "refused" ? (
        <div className="no-room" role="alert">
          <h2>This room stays closed to you</h2>
          <p>{snapshot.error?.message}</p>
        </div>
      ) : (
        <>
          {timing && snapshot.state === "live" ? <TimerPanel timer={timer} snapshot={countdown} /> : null}
          <MessageList room={room} snapshot={snapshot} me={me} onReply={reply} onEdit={edit} />
          <TypingLine typists={typists} />
          <Composer room={room} snapshot={snapshot} me={me} draft={draft} onDraft={setDraft} />
          <Announcer room={room} me={me} />
        </>
      )}
    </section>
  );
}

function subtitle(state: string, members: number): string {
  if (members === 0) return state === "joining" ? "entering…" : "";
  return members === 1 ? "only you" : `${members} members`;
}
