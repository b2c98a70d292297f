import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { randomKey, room } from "../src/contract/samples.ts";
import type { Store } from "../src/index.ts";

/** The URL of a SQLite file that is not there yet, in a folder that goes with the test. */
export async function freshFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "parley-store-"));
  t.after(() => rm(folder, { recursive: true }));
  return `sqlite:${join(folder, "parley.db")}`;
}

/** The keys of `n` new rooms. */
export async function makeRooms(store: Store, n: number): Promise<number[]> {
  const rooms = Array.from({ length: n }, () => room(`room-${randomKey()}`));
  await Promise.all(rooms.map((record) => store.rooms.create(record)));
  return rooms.map(({ key }) => key);
}
