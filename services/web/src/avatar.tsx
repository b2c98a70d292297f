import { hueOf, initials } from "./hue.ts";

/** Stands for a person (round) or a room (square); the name is written beside it. */
export function Avatar({ id, name, shape = "person" }: { id: string; name: string; shape?: "person" | "room" }) {
  return (
    <span className={`avatar avatar-${shape} ${hueOf(id)}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}
