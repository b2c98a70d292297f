/** Rooms (and users) fall into partitions; each partition has one worker at a time. For speed, never for safety. */
export const partitionCount = 256;

/** FNV-1a over UTF-16 units, with a last mixing so that the low bits are good: the same in every process. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export const partitionOf = (name: string): number => hashText(name) % partitionCount;

/**
 * Rendezvous hashing: every partition goes to the worker with the highest score for it, so that a worker that comes or goes
 * moves only its own share. Index = partition; null when no worker lives.
 */
export function ownersOf(workers: Iterable<string>): (string | null)[] {
  const living = [...workers].sort();
  const seeds = living.map((worker) => hashText(worker));
  return Array.from({ length: partitionCount }, (_, partition) => {
    let best: string | null = null;
    let bestScore = -1;
    for (let i = 0; i < living.length; i++) {
      const score = hashText(`p${partition}`, seeds[i]);
      if (score > bestScore) {
        best = living[i] as string;
        bestScore = score;
      }
    }
    return best;
  });
}
