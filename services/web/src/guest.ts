import { connect, indexedDbOutbox, type Parley } from "@parley/client";

const nameKey = "parley.name";
const tokenKey = "parley.guest";

/** The name this browser's guest gave, or null before the first visit. */
export const guestName = (): string | null => localStorage.getItem(nameKey);

export function connectAs(name: string): Parley {
  localStorage.setItem(nameKey, name);
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return connect({
    ...{ url: url.href, guest: { name }, storage: localStorage, storageKey: tokenKey },
    presence: "all",
    outbox: indexedDbOutbox(),
  });
}

/** Ends this guest: the next visit asks for a name again. */
export async function signOut(client: Parley): Promise<void> {
  await client.close();
  localStorage.removeItem(nameKey);
  localStorage.removeItem(tokenKey);
  location.hash = "";
  location.reload();
}
