/** Tells all gateways whose presence changed: gathered for a moment, many in one message. */
import { type PresenceChange, presenceShards } from "@parley/bus";
import type { UserStore } from "@parley/store";
import type { Directory, Untold } from "./directory.ts";
import { recordsOf, viewOf } from "./user-view.ts";

export interface TellerOptions {
  directory: Directory;
  users: UserStore;
  /** Hands changes to all gateways. */
  publish: (changes: PresenceChange[]) => void | Promise<void>;
  now: () => number;
  onError: (error: unknown, what: string) => void;
  gatherMs?: number;
}

export interface Teller {
  /** Something in this shard waits to be told. */
  schedule(shard: number): void;
  /** Tells all that waits now, in the shards scheduled. */
  flush(): Promise<void>;
  counts: { told: number };
  close(): Promise<void>;
}

const perShard = 200;
/** News come within 250 ms; the rest is for the way. */
const gatherMsByDefault = 150;

/** What became of somebody: null when it is nothing to those who are not in a room with them. */
export function changeOf({ told, status, same }: Pick<Untold, "told" | "status" | "same">): PresenceChange["change"] {
  if (told === "") return status === "" ? null : "online";
  if (status === "") return "offline";
  if (told === "?") return "online";
  return same ? null : "update";
}

export function createTeller(options: TellerOptions): Teller {
  const { directory, users, publish, now, onError } = options;
  const due = new Set<number>();
  const counts = { told: 0 };
  let timer: NodeJS.Timeout | null = null;
  let telling: Promise<void> = Promise.resolve();

  const tellDue = async () => {
    const shards = [...due];
    due.clear();
    const waiting = await Promise.all(shards.map((shard) => directory.untold(shard, perShard)));
    for (const [i, shard] of shards.entries()) if (waiting[i]?.length === perShard) schedule(shard);
    const all = waiting.flat();
    if (all.length === 0) return;
    const records = await recordsOf(
      users,
      all.map(({ user }) => user.id),
    );
    const changes = all.map(
      (one, i): PresenceChange => ({
        user: viewOf(one.user, { ...one, seenAtMs: one.status === "" ? one.seenAtMs : now() }, records[i] ?? null),
        change: changeOf(one),
        rooms: one.rooms,
        // Who came and went before it was told is nowhere now.
        entered: one.status === "" ? [] : one.entered,
      }),
    );
    // Told first, noted as told after it: a worker killed in between tells twice, and never not at all.
    const told = changes.filter(({ change, entered }) => change !== null || entered.length > 0);
    if (told.length > 0) await publish(told);
    counts.told += told.length;
    await Promise.all(shards.map((shard, i) => directory.markTold(shard, waiting[i] ?? [])));
    keepLastSeen(all.filter(({ status, told: before }) => status === "" && before !== ""));
  };

  /** Nobody waits for the store. */
  const keepLastSeen = (gone: Untold[]) => {
    for (const [seenAtMs, some] of Map.groupBy(gone, (one) => one.seenAtMs))
      users
        .touch(
          some.map(({ user }) => user.id),
          seenAtMs,
        )
        .catch((error) => onError(error, "when users were last seen could not be kept"));
  };

  const flush = () => {
    if (timer) clearTimeout(timer);
    timer = null;
    // One after the other: what was read later is told later.
    telling = telling.then(tellDue).catch((error) => {
      // The next sweep finds them again.
      onError(error, "changes of presence could not be told");
    });
    return telling;
  };

  const schedule = (shard: number) => {
    if (shard < 0 || shard >= presenceShards) return;
    due.add(shard);
    timer ??= setTimeout(flush, options.gatherMs ?? gatherMsByDefault);
  };

  return {
    schedule,
    flush,
    counts,
    close: flush,
  };
}
