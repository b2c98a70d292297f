import type { Message, Room, RoomSnapshot } from "@parley/client";
import { type KeyboardEvent, type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { formatDay } from "./format-time.ts";
import { Icon } from "./icon.tsx";
import { MessageRow } from "./message-row.tsx";
import { PendingRow } from "./pending-row.tsx";
import { toRows } from "./rows.ts";
import { useReadLine } from "./use-read-line.ts";
import { useScroll } from "./use-scroll.ts";

interface Props {
  room: Room;
  snapshot: RoomSnapshot;
  me: string;
  onReply(message: Message): void;
  onEdit(message: Message): void;
}

export function MessageList({ room, snapshot, me, onReply, onEdit }: Props) {
  const { messages, pending, more, last } = snapshot;
  const list = useRef<HTMLDivElement>(null);
  const { atEnd, toEnd, onScroll } = useScroll(list, messages[0]?.seq);
  const readUpTo = useReadLine(room, last, atEnd);
  const rows = useMemo(() => toRows(messages, readUpTo, me), [messages, readUpTo, me]);
  const bySeq = useMemo(() => new Map(messages.map((message) => [message.seq, message])), [messages]);
  const [focused, setFocused] = useState<number | null>(null);
  const inTabOrder = focused !== null && bySeq.has(focused) ? focused : messages.at(-1)?.seq;

  // What one has just written oneself is what one wants to see.
  const written = pending.at(-1)?.clientMessageId;
  useEffect(() => {
    if (written) toEnd();
  }, [written, toEnd]);

  function moveFocus(event: KeyboardEvent) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    const current = (event.target as Element).closest("[data-seq]");
    if (!current || event.target !== current) return;
    const all = [...(list.current?.querySelectorAll<HTMLElement>("[data-seq]") ?? [])];
    const next = all[all.indexOf(current as HTMLElement) + (event.key === "ArrowUp" ? -1 : 1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  return (
    <div className="list-frame">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys move the focus between the messages in it */}
      <div className="list" ref={list} onScroll={onScroll} onKeyDown={moveFocus}>
        <div className="list-content">
          {more && messages.length > 0 ? <OlderMessages room={room} list={list} /> : null}
          {!more && messages.length > 0 ? <p className="list-start">This is where {room.name} begins.</p> : null}
          {messages.length === 0 && pending.length === 0 && snapshot.state === "live" ? (
            <p className="list-empty">Nobody has said anything yet. Begin!</p>
          ) : null}
          {rows.map((row) =>
            row.kind === "day" ? (
              <h3 className="day" key={row.key}>
                <span>{formatDay(row.at)}</span>
              </h3>
            ) : row.kind === "divider" ? (
              <p className="divider" key={row.key} data-divider>
                <span>New</span>
              </p>
            ) : (
              <MessageRow
                key={row.key}
                {...{ room, onReply, onEdit, me }}
                {...{ message: row.message, opens: row.opens, closes: row.closes }}
                answered={row.message.replyTo === null ? null : (bySeq.get(row.message.replyTo) ?? "older")}
                inTabOrder={row.message.seq === inTabOrder}
                onFocus={setFocused}
              />
            ),
          )}
          {pending.map((message) => (
            <PendingRow key={message.clientMessageId} room={room} message={message} />
          ))}
        </div>
      </div>
      {atEnd ? null : (
        <button type="button" className="to-end" onClick={toEnd} aria-label="To the newest message">
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

/** How near the reader comes to the oldest message before older ones are loaded, in pixels. */
const nearPx = 600;

/** Loads older messages as soon as the reader comes near them. */
function OlderMessages({ room, list }: { room: Room; list: RefObject<HTMLDivElement | null> }) {
  const sentinel = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const element = sentinel.current;
    const root = list.current;
    if (!element || !root) return;
    let loading = false;
    const isNear = () =>
      element.isConnected && element.getBoundingClientRect().bottom > root.getBoundingClientRect().top - nearPx;
    const load = async () => {
      if (loading) return;
      loading = true;
      // Still near after a page: the page was short, so the next one follows.
      while (isNear() && (await room.history(50).catch(() => false))) await new Promise(requestAnimationFrame);
      loading = false;
    };
    const observer = new IntersectionObserver(() => void load(), { root, rootMargin: `${nearPx}px 0px 0px 0px` });
    observer.observe(element);
    // A page that failed to come (the connection was away) is asked for again when the reader goes on scrolling.
    const onScroll = () => void load();
    root.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      root.removeEventListener("scroll", onScroll);
    };
  }, [room, list]);
  return (
    <p className="list-older" ref={sentinel}>
      <span className="spinner" aria-hidden="true" /> Loading older messages…
    </p>
  );
}
