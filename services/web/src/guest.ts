import { connect, indexedDbOutbox, type Parley } from "@parley/client";

const nameKey = "parley.name";
const tokenKey = "parley.guest";

/** The name this browser's guest gave, or null before the first visit. */
export const guestName = (): string | null => localStorage.getItem(nameKey);

function socketUrl(): string {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

export function connectAs(name: string): Parley {
  localStorage.setItem(nameKey, name);
  return connect({
    ...{ url: socketUrl(), guest: { name }, storage: localStorage, storageKey: tokenKey },
    presence: "all",
    outbox: indexedDbOutbox(),
  });
}

const tokenPrefix = "#/token/";
const userTokenKey = "parley.token";

/** A user's token that the address brought along, once (`/#/token/…`): kept for this tab, and taken out of the address. */
export function tokenFromAddress(): string | null {
  if (location.hash.startsWith(tokenPrefix)) {
    sessionStorage.setItem(userTokenKey, location.hash.slice(tokenPrefix.length));
    history.replaceState(null, "", "#/");
  }
  return sessionStorage.getItem(userTokenKey);
}

/** As the user that a token names. */
export const connectWith = (token: string): Parley => connect({ url: socketUrl(), token: () => token });

/** Ends this guest: the next visit asks for a name again. */
export async function signOut(client: Parley): Promise<void> {
  await client.close();
  localStorage.removeItem(nameKey);
  localStorage.removeItem(tokenKey);
  sessionStorage.removeItem(userTokenKey);
  location.hash = "";
  location.reload();
}
