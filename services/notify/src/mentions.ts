/** Who is meant by the `@name`s of a text. */

export interface Named {
  id: string;
  name: string;
}

/** Texts name so many at most; the rest is noise. */
const mentionsMax = 20;
const wordEnd = /^($|[^\p{L}\p{N}_-])/u;

/** Those of `people` whose name or id stands behind an `@` that begins a word; the longest name that fits is meant. */
export function mentioned(text: string, people: readonly Named[]): Named[] {
  const low = text.toLowerCase();
  const found = new Map<string, Named>();
  let seen = 0;
  for (let at = low.indexOf("@"); at >= 0 && seen < mentionsMax; at = low.indexOf("@", at + 1)) {
    if (at > 0 && /[\p{L}\p{N}_]/u.test(low[at - 1] as string)) continue;
    seen++;
    const rest = low.slice(at + 1);
    let longest = 0;
    let meant: Named[] = [];
    for (const person of people) {
      for (const name of [person.name.toLowerCase(), person.id.toLowerCase()]) {
        if (name.length < longest || name.length === 0) continue;
        if (!rest.startsWith(name) || !wordEnd.test(rest.slice(name.length))) continue;
        if (name.length > longest) meant = [];
        longest = name.length;
        if (!meant.includes(person)) meant.push(person);
      }
    }
    for (const person of meant) found.set(person.id, person);
  }
  return [...found.values()];
}
