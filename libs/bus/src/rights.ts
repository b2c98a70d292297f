/**
 * What a user may do, as it travels with every request to the worker that owns the data and decides: a short string, made
 * once a session. A letter for each right, then, where the token names rooms, each pattern on a line of its own.
 * (Names of rooms hold no line ends.)
 */

/** As tokens and settings write them, with their letter on the bus. */
const letters = {
  /** Join, read and listen to rooms. */
  join: "j",
  /** Send, edit, delete and react; type; emit to a room. */
  send: "s",
  /** Act as a moderator in every room that the patterns let the user see. */
  moderate: "m",
  "emit:users": "u",
  "emit:all": "a",
  /** Start, stop and reset timers. */
  timer: "t",
  /** See and answer help-centre tickets. */
  tickets: "h",
} as const;

export type Right = keyof typeof letters;
export const rightNames = Object.keys(letters) as Right[];
export const isRight = (name: string): name is Right => Object.hasOwn(letters, name);

/** `rooms`: patterns in which `*` stands for any characters; null for all rooms. */
export function encodeRights(rights: Iterable<Right>, rooms: readonly string[] | null = null): string {
  const given = new Set(rights);
  const first = rightNames.flatMap((name) => (given.has(name) ? [letters[name]] : [])).join("");
  return rooms === null ? first : `${first}\n${rooms.join("\n")}`;
}

interface Parsed {
  letters: string;
  patterns: string[] | null;
}

const maxKept = 10_000;
const kept = new Map<string, Parsed>();

function parse(rights: string): Parsed {
  let parsed = kept.get(rights);
  if (!parsed) {
    const [first = "", ...patterns] = rights.split("\n");
    parsed = { letters: first, patterns: rights.includes("\n") ? patterns : null };
    if (kept.size >= maxKept) kept.clear();
    kept.set(rights, parsed);
  }
  return parsed;
}

/** Whether the right is given at all, in whatever rooms. */
export const hasRight = (rights: string, right: Right): boolean => parse(rights).letters.includes(letters[right]);

/** Whether the right is given in this room. */
export function hasRightIn(rights: string, right: Right, room: string): boolean {
  const parsed = parse(rights);
  if (!parsed.letters.includes(letters[right])) return false;
  return parsed.patterns === null || parsed.patterns.some((pattern) => matchesPattern(pattern, room));
}

/** `*` stands for any characters, none too; all else for itself. Time is at most pattern × name: no regular expression. */
function matchesPattern(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let starAt = 0;
  while (n < name.length) {
    if (p < pattern.length && pattern[p] === "*") {
      star = p++;
      starAt = n;
    } else if (p < pattern.length && pattern[p] === name[n]) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++starAt;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
