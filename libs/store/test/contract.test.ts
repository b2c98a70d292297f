import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeContract } from "../src/contract/index.ts";
import { openStore } from "../src/index.ts";

storeContract("SQLite file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parley-store-"));
  const url = `sqlite:${join(folder, "parley.db")}`;
  const [store, second] = await Promise.all([openStore(url), openStore(url)]);
  return {
    store,
    second,
    async close() {
      await Promise.all([store.close(), second.close()]);
      await rm(folder, { recursive: true });
    },
  };
});

storeContract("SQLite in memory, one store for both", async () => {
  const store = await openStore("sqlite::memory:");
  return { store, second: store, close: () => store.close() };
});
