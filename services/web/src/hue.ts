const hues = 10;

/** A colour class for a user or a room, the same everywhere. */
export function hueOf(id: string): string {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) | 0;
  return `hue-${(hash >>> 0) % hues}`;
}

/** One or two letters that stand for a name. */
export function initials(name: string): string {
  const words = name.split(/[\s_\-–/.]+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [name];
  return letters
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toUpperCase();
}
