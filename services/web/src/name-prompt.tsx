import { type SubmitEvent, useId, useState } from "react";
import { useRoomInHash } from "./route.ts";

/** Asks a guest for a name before anything else. */
export function NamePrompt({ onName }: { onName: (name: string) => void }) {
  const [name, setName] = useState("");
  const room = useRoomInHash();
  const id = useId();
  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (name.trim()) onName(name.trim());
  }
  return (
    <main className="welcome">
      <form className="welcome-card" onSubmit={submit}>
        <img src="/favicon.svg" alt="" width="56" height="56" />
        <h1>Parley</h1>
        <p>{room === null ? "Rooms to talk in, right now." : `You are about to enter ${room}.`}</p>
        <label htmlFor={id}>What shall others call you?</label>
        <input
          id={id}
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={64}
          autoComplete="nickname"
          // biome-ignore lint/a11y/noAutofocus: the one thing there is to do on this page
          autoFocus
          required
        />
        <button className="button" type="submit" disabled={!name.trim()}>
          Come in
        </button>
      </form>
    </main>
  );
}
