import { type SubmitEvent, useId, useState } from "react";
import { Icon } from "./icon.tsx";
import { roomLink } from "./route.ts";

/** Joins a room by its name; one that is not there yet is made by that. */
export function NewRoom() {
  const [name, setName] = useState("");
  const id = useId();
  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!name.trim()) return;
    location.hash = roomLink(name.trim());
    setName("");
  }
  return (
    <form className="new-room" onSubmit={submit}>
      <label className="visually-hidden" htmlFor={id}>
        Join or make a room
      </label>
      <input
        id={id}
        value={name}
        onChange={(event) => setName(event.target.value)}
        placeholder="Join or make a room"
        maxLength={128}
        autoComplete="off"
        enterKeyHint="go"
      />
      <button type="submit" className="icon-button" aria-label="Enter the room" disabled={!name.trim()}>
        <Icon name="plus" />
      </button>
    </form>
  );
}
