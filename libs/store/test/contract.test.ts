import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OpenContractStore, storeContract } from "../src/contract/index.ts";
import { openStore, type Store } from "../src/index.ts";
import type { SqliteOptions } from "../src/sqlite/sqlite-store.ts";

/** Two stores on one file, each with its own way of folding the journal. */
function onOneFile(...options: [SqliteOptions, SqliteOptions]): OpenContractStore {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), "parley-store-"));
    const url = `sqlite:${join(folder, "parley.db")}`;
    const [store, second] = (await Promise.all(options.map((sqlite) => openStore(url, { sqlite })))) as [Store, Store];
    return {
      store,
      second,
      async close() {
        await Promise.all([store.close(), second.close()]);
        await rm(folder, { recursive: true });
      },
    };
  };
}

storeContract("SQLite file, all in the journal", onOneFile({}, {}));
storeContract("SQLite file, folded at once", onOneFile({ foldBytes: 1 }, { foldBytes: 1 }));
storeContract("SQLite file, folded in small steps by one of two", onOneFile({ foldBytes: 5_000, foldEntries: 7 }, {}));

storeContract("SQLite in memory, one store for both", async () => {
  const store = await openStore("sqlite::memory:");
  return { store, second: store, close: () => store.close() };
});
