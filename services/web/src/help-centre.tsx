import type { TicketView } from "@parley/client";
import { useConnection, useParley } from "@parley/react";
import { type SubmitEvent, useId, useState } from "react";
import { formatBrief } from "./format-time.ts";
import { Icon } from "./icon.tsx";
import { roomLink } from "./route.ts";
import { useNotice } from "./use-notice.ts";
import { useTickets } from "./use-tickets.ts";

const statuses = { open: "Open", claimed: "Being answered", closed: "Closed" };
type Status = keyof typeof statuses;

/** Where people ask for help, and agents find who does. */
export function HelpCentre() {
  const [status, setStatus] = useState<Status>("open");
  const { tickets, agent, refresh } = useTickets(status);
  return (
    <section className="help" aria-label="Help centre">
      <header className="room-head">
        <a className="icon-button room-back" href="#/" aria-label="All rooms">
          <Icon name="back" />
        </a>
        <div className="room-title">
          <h2>Help centre</h2>
          <small>{agent ? "You are an agent: these are everybody's questions" : "Ask, and somebody answers"}</small>
        </div>
      </header>
      <div className="help-body">
        {agent ? null : <AskForm />}
        <div className="help-tabs" role="tablist" aria-label="Tickets">
          {Object.entries(statuses).map(([each, name]) => (
            <button
              key={each}
              type="button"
              role="tab"
              className="text-button"
              aria-selected={each === status}
              onClick={() => setStatus(each as Status)}
            >
              {name}
            </button>
          ))}
        </div>
        <ul className="tickets">
          {tickets?.map((ticket) => (
            <Ticket key={ticket.room} ticket={ticket} agent={agent} onChanged={refresh} />
          ))}
        </ul>
        {tickets?.length === 0 ? <p className="panel-empty">None.</p> : null}
      </div>
    </section>
  );
}

function AskForm() {
  const client = useParley();
  const [notice, setNotice] = useNotice();
  const id = useId();

  async function ask(event: SubmitEvent) {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const fields = new FormData(form);
    const asked = { subject: String(fields.get("subject")).trim(), text: String(fields.get("text")).trim() };
    try {
      // Not asked again by itself: a repeat would be another ticket.
      const { room } = await client.call<{ room: string }>("OpenTicket", asked, { retry: false });
      form.reset();
      location.hash = roomLink(room);
    } catch (error) {
      setNotice({ kind: "alert", text: (error as Error).message });
    }
  }

  return (
    <form className="ask" onSubmit={ask}>
      <label htmlFor={`${id}-subject`}>What is it about?</label>
      <input id={`${id}-subject`} name="subject" maxLength={200} required autoComplete="off" />
      <label htmlFor={`${id}-text`}>What happened?</label>
      <textarea id={`${id}-text`} name="text" rows={3} required />
      {notice ? <p role={notice.kind}>{notice.text}</p> : null}
      <button type="submit" className="button">
        Ask for help
      </button>
    </form>
  );
}

function Ticket({ ticket, agent, onChanged }: { ticket: TicketView; agent: boolean; onChanged: () => void }) {
  const client = useParley();
  const { user } = useConnection();
  const [notice, setNotice] = useNotice();
  const { room, status } = ticket;

  async function act(event: string, data: object = {}) {
    try {
      await client.call(event, { room, ...data });
      onChanged();
      if (event === "ClaimTicket") location.hash = roomLink(room);
    } catch (error) {
      setNotice({ kind: "alert", text: (error as Error).message });
    }
  }

  function handOver() {
    const to = prompt("Id of the agent who takes it over");
    if (to) void act("HandOverTicket", { agent: to });
  }

  return (
    <li className="ticket">
      <a href={roomLink(room)}>
        <strong>{ticket.subject}</strong>
        <small>
          {ticket.asker.name} · {formatBrief(ticket.openedAt)}
          {ticket.agent === null ? "" : ` · answered by ${ticket.agent === user?.id ? "you" : ticket.agent}`}
          {ticket.rating === null ? "" : ` · ${"★".repeat(ticket.rating)}`}
        </small>
      </a>
      {agent && status === "open" ? (
        <button type="button" className="button" onClick={() => act("ClaimTicket")}>
          Claim
        </button>
      ) : null}
      {agent && status === "claimed" ? (
        <button type="button" className="text-button" onClick={handOver}>
          Hand over
        </button>
      ) : null}
      {status === "closed" ? null : (
        <button type="button" className="text-button" onClick={() => act("CloseTicket")}>
          Close
        </button>
      )}
      {!agent && status === "closed" && ticket.rating === null ? (
        <Rating onRate={(rating) => act("CloseTicket", { rating })} />
      ) : null}
      {notice ? <p role={notice.kind}>{notice.text}</p> : null}
    </li>
  );
}

function Rating({ onRate }: { onRate: (rating: number) => void }) {
  return (
    <fieldset className="rating">
      <legend>How was it?</legend>
      {[1, 2, 3, 4, 5].map((rating) => (
        <button key={rating} type="button" aria-label={`${rating} of 5`} onClick={() => onRate(rating)}>
          ★
        </button>
      ))}
    </fieldset>
  );
}
