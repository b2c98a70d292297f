const link = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/giu;

/** A message's text with its web addresses made links. */
export function LinkedText({ text }: { text: string }) {
  const parts: (string | { href: string; at: number })[] = [];
  let end = 0;
  for (const match of text.matchAll(link)) {
    parts.push(text.slice(end, match.index), { href: match[0], at: match.index });
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts.map((part) =>
    typeof part === "string" ? (
      part
    ) : (
      <a key={part.at} href={part.href} target="_blank" rel="noopener noreferrer">
        {part.href}
      </a>
    ),
  );
}
