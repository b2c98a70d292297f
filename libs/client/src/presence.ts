import type { ActiveUsersData, PresenceData, PresentUser, ServerEvent, Status } from "@parley/protocol";
import type { Connection } from "./connection.ts";
import { createStore, type Store } from "./emitter.ts";

export interface PresenceSnapshot {
  /** Who is here, by name, and then those who were and are gone (`status: "offline"`), last seen first. */
  users: readonly PresentUser[];
  /** How many are here, also beyond those known by name. */
  total: number;
  /** There are more than are known by name: `more()` asks for them. */
  hasMore: boolean;
  /** Presence can't be had for the moment; this is how it was. */
  frozen: boolean;
}

/** Who is here: from `Register` on kept up to date, as far as the client's `presence` option lets it hear. */
export interface Presence extends Store<PresenceSnapshot> {
  get(user: string): PresentUser | undefined;
  /** What others see of this user, on all devices: until told otherwise, also across reconnections. */
  setStatus(status: Status, text?: string): Promise<void>;
  /** Asks for a further page. */
  more(): Promise<void>;
}

/** Grey ones kept at most. */
const maxOffline = 100;
const perPage = 50;
/** After presence stood still all clients ask anew, so each in its own time. */
const askAgainMs = { least: 1_500, most: 5_000 };

export function createPresence(connection: Connection) {
  let users = new Map<string, PresentUser>();
  let total = 0;
  let next: string | null = null;
  let frozen = false;
  let choice: { status: Status; text?: string } | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = 0;
  /** Who was told of while a page was asked for: the page may be from before that. */
  const toldSince = new Map<string, PresentUser>();

  const store = createStore<PresenceSnapshot>(() => {
    const all = [...users.values()];
    const here = all.filter(({ status }) => status !== "offline").sort((a, b) => a.name.localeCompare(b.name));
    const gone = all.filter(({ status }) => status === "offline").sort((a, b) => seen(b).localeCompare(seen(a)));
    return { users: [...here, ...gone], total: Math.max(total, here.length), hasMore: next !== null, frozen };
  });

  /** A first page: who is not on it, though all would fit, is gone. */
  function begin(page: ActiveUsersData) {
    frozen = page.frozen === true;
    if (!frozen) {
      const fresh = new Map(page.users.map((user) => [user.id, user]));
      for (const user of users.values()) {
        if (fresh.has(user.id)) continue;
        // Beyond the page nobody can tell.
        if (page.next === null && !toldSince.has(user.id))
          fresh.set(user.id, { ...user, status: "offline", devices: 0 });
        else if (user.status === "offline" || toldSince.has(user.id)) fresh.set(user.id, user);
      }
      users = fresh;
      ({ total, next } = page);
      trim();
    } else if (users.size === 0) for (const user of page.users) users.set(user.id, user);
    store.changed();
  }

  function trim() {
    const gone = [...users.values()].filter(({ status }) => status === "offline");
    if (gone.length <= maxOffline) return;
    gone.sort((a, b) => seen(a).localeCompare(seen(b)));
    for (const { id } of gone.slice(0, gone.length - maxOffline)) users.delete(id);
  }

  function apply({ online = [], update = [], offline = [], frozen: stands }: PresenceData) {
    for (const user of [...online, ...update, ...offline]) if (asking > 0) toldSince.set(user.id, user);
    for (const user of [...online, ...update]) {
      if ((users.get(user.id)?.status ?? "offline") === "offline") total++;
      users.set(user.id, user);
    }
    for (const user of offline) {
      if ((users.get(user.id)?.status ?? "online") !== "offline") total--;
      users.set(user.id, user);
    }
    if (offline.length > 0) trim();
    if (stands !== undefined) {
      frozen = stands;
      if (!stands) askAgain();
    }
    store.changed();
  }

  async function ask(fields: { next?: string } = {}): Promise<ActiveUsersData> {
    if (asking++ === 0) toldSince.clear();
    try {
      const page = await connection.call<ActiveUsersData>("ActiveUsers", { ...fields, limit: perPage });
      return { ...page, users: page.users.map((user) => toldSince.get(user.id) ?? user) };
    } finally {
      asking--;
    }
  }

  function askAgain() {
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        // Failing, the next registration brings it.
        ask()
          .then(begin)
          .catch(() => {});
      },
      askAgainMs.least + Math.random() * (askAgainMs.most - askAgainMs.least),
    );
  }

  connection.on("online", (data) => {
    clearTimeout(timer);
    toldSince.clear();
    if (data.activeUsers) begin(data.activeUsers);
    // A tab that came to a connection begun earlier.
    else askAgain();
    if (choice && choice.status !== "online") connection.call("SetStatus", choice).catch(() => {});
  });
  connection.on("state", (state) => {
    if (state === "closed") clearTimeout(timer);
  });

  const presence: Presence = {
    subscribe: store.subscribe,
    snapshot: store.snapshot,
    get: (user) => users.get(user),
    async setStatus(status, text) {
      choice = { status, ...(text ? { text } : {}) };
      await connection.call("SetStatus", choice);
    },
    async more() {
      if (next === null) return;
      const page = await ask({ next });
      for (const user of page.users) users.set(user.id, user);
      ({ total, next } = page);
      store.changed();
    },
  };
  return {
    presence,
    receive({ event, data }: ServerEvent) {
      if (event === "presence") apply(data as PresenceData);
    },
  };
}

const seen = ({ lastSeenAt }: PresentUser): string => lastSeenAt ?? "";
