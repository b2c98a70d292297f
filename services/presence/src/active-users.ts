/** Who is here, page by page, with what the store knows of them. */
import { type ActivePage, presenceShards } from "@parley/bus";
import { limits, Refusal } from "@parley/protocol";
import type { UserStore } from "@parley/store";
import type { Directory } from "./directory.ts";
import { recordsOf, viewOf } from "./user-view.ts";

export interface ActiveUsersOptions {
  directory: Directory;
  users: UserStore;
  now: () => number;
}

export interface ActiveUsers {
  /** `next`: as an earlier page gave it, null for the first. A wrong one is refused with `bad_request`. */
  page(room: string | null, next: string | null, limit: number): Promise<ActivePage>;
  /** How many are online, at most a quarter of a second old. */
  total(): Promise<number>;
}

/** Most bytes of users in one page. */
const maxPageBytes = 64 * 1024;
/** A page of a crowd is not put together anew for each who comes. */
const crowdPageMs = 250;

/** Where a page ended: a shard and the last id of it. */
const encodeCursor = (shard: number, id: string): string => `${shard}.${Buffer.from(id).toString("base64url")}`;

function decodeCursor(next: string | null): { shard: number; after: string } {
  if (next === null) return { shard: 0, after: "" };
  const match = /^(\d{1,2})\.([\w-]*)$/.exec(next);
  const shard = Number(match?.[1]);
  if (!match || shard >= presenceShards) throw new Refusal("bad_request", "next must be what an earlier page gave");
  return { shard, after: Buffer.from(match[2] as string, "base64url").toString("utf8") };
}

export function createActiveUsers({ directory, users, now }: ActiveUsersOptions): ActiveUsers {
  let total = { atMs: Number.NEGATIVE_INFINITY, value: Promise.resolve(0) };
  let crowd: { atMs: number; limit: number; page: Promise<ActivePage> } | null = null;

  const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);

  /** Ids from the cursor on, as many as `limit`, with the shard of each. */
  const idsFrom = async (room: string | null, next: string | null, limit: number, counts: number[]) => {
    const found: { shard: number; id: string }[] = [];
    let { shard, after } = decodeCursor(next);
    while (shard < presenceShards && found.length < limit) {
      // As many shards at once as hold what is asked for: most of a small system's are empty.
      const batch: { shard: number; after: string }[] = [];
      for (let expected = 0; shard < presenceShards && expected < limit - found.length; shard++, after = "") {
        if (counts[shard] === 0) continue;
        batch.push({ shard, after });
        expected += counts[shard] as number;
      }
      const lists = await Promise.all(batch.map((each) => directory.ids(room, each.shard, each.after, limit)));
      for (const [i, ids] of lists.entries())
        for (const id of ids) found.push({ shard: (batch[i] as { shard: number }).shard, id });
    }
    return found;
  };

  const read = async (
    room: string | null,
    next: string | null,
    limit: number,
    counts: number[],
  ): Promise<ActivePage> => {
    const found = await idsFrom(room, next, limit + 1, counts);
    const asked = found.slice(0, limit);
    const ids = asked.map(({ id }) => id);
    const [present, records] = await Promise.all([directory.present(ids), recordsOf(users, ids)]);
    const page: ActivePage = { users: [], total: sum(counts), next: null };
    let bytes = 0;
    for (const [i, { shard, id }] of asked.entries()) {
      const one = present[i];
      if (one) {
        const view = viewOf(one.user, { ...one, seenAtMs: now() }, records[i] ?? null);
        bytes += Buffer.byteLength(JSON.stringify(view));
        if (bytes > maxPageBytes && page.users.length > 0) return page;
        page.users.push(view);
      }
      page.next = i + 1 < found.length ? encodeCursor(shard, id) : null;
    }
    return page;
  };

  return {
    async page(room, next, limit) {
      decodeCursor(next);
      const wanted = Math.min(limit, limits.usersPerPage);
      if (room === null && next === null && crowd?.limit === wanted && now() - crowd.atMs < crowdPageMs)
        return crowd.page;
      const counts = await directory.counts(room);
      if (room === null) total = { atMs: now(), value: Promise.resolve(sum(counts)) };
      const page = read(room, next, wanted, counts);
      if (room === null && next === null) {
        // Where all fit into the page, whoever asks looks for themselves in it: that one is always fresh.
        crowd = sum(counts) > wanted ? { atMs: now(), limit: wanted, page } : null;
        page.catch(() => {
          crowd = null;
        });
      }
      return page;
    },
    total() {
      if (now() - total.atMs >= crowdPageMs) {
        total = { atMs: now(), value: directory.counts(null).then(sum) };
        total.value.catch(() => {
          total.atMs = Number.NEGATIVE_INFINITY;
        });
      }
      return total.value;
    },
  };
}
