import type { Sender } from "@parley/client";

function sentence(names: readonly string[]): string {
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return `${names[0]} and ${names.length - 1} others are typing…`;
}

export function TypingLine({ typists }: { typists: readonly Sender[] }) {
  return (
    <p className="typing" aria-live="polite">
      {typists.length > 0 ? (
        <>
          <span className="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {sentence(typists.map(({ name }) => name))}
        </>
      ) : null}
    </p>
  );
}
