import { createServer } from "node:net";

/** True when nothing on this machine listens on the port, on any address. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    // Without a host this covers all addresses, and collides with a listener on any one of them.
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The first free port from `first` on that is not in `taken`; it is added to `taken`. */
export async function nextFreePort(first: number, taken: Set<number>): Promise<number> {
  for (let port = first; port <= 65_535; port += 1) {
    if (taken.has(port)) continue;
    if (await isPortFree(port)) {
      taken.add(port);
      return port;
    }
  }
  throw new Error(`no free port from ${first} on; stop something that listens there, or choose another with --port`);
}

/** Where tests look for a free port: below the range from which systems give out ports for outgoing connections. */
export function randomPortStart(): number {
  return 10_000 + Math.floor(Math.random() * 20_000);
}
