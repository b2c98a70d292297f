import { isPortFree, nextFreePort, randomPortStart } from "./free-port.ts";

/** A port that someone would like to have. */
export interface PortWish {
  /** For people: `gateway 1`. */
  title: string;
  port: number;
  /** Where to look on when it is taken; beyond all wishes of this kind, so that none of them is pushed aside. */
  nextFrom: number;
}

/** Gives each wish its port or, said aloud, the next free one; in the order of the wishes. */
export async function assignPorts(wishes: readonly PortWish[], announce: (line: string) => void): Promise<number[]> {
  const taken = new Set(wishes.map(({ port }) => port));
  const assigned: number[] = [];
  for (const { title, port, nextFrom } of wishes) {
    if (await isPortFree(port)) {
      assigned.push(port);
      continue;
    }
    const instead = await nextFreePort(nextFrom, taken);
    announce(`port ${port} is in use, ${title} takes ${instead}`);
    assigned.push(instead);
  }
  return assigned;
}

/** Ports for tests, which run side by side: anywhere, and nothing said. */
export async function assignAnyPorts(count: number): Promise<number[]> {
  const taken = new Set<number>();
  const assigned: number[] = [];
  while (assigned.length < count) assigned.push(await nextFreePort(randomPortStart(), taken));
  return assigned;
}
