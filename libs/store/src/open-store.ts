import { isAbsolute } from "node:path";
import type { MongoOptions } from "./mongodb/connection.ts";
import { openSqliteStore, type SqliteOptions } from "./sqlite/sqlite-store.ts";
import type { Store } from "./store.ts";

/** What each kind of store may be told beside its address. */
export interface StoreOptions {
  sqlite?: SqliteOptions;
  mongodb?: MongoOptions;
}

const known = "sqlite:/absolute/path, mongodb://host/database and mongodb+srv://host/database";

/**
 * Opens the store that `url` names:
 *
 * - `sqlite:/absolute/path/parley.db`: a file, shared by any number of processes of one machine; made when absent.
 * - `sqlite::memory:`: gone at close, for tests.
 * - `mongodb://…`, `mongodb+srv://…`: a MongoDB, shared by any number of processes of any number of machines.
 *
 * Throws a plain Error for an address that can't be right, StoreUnavailable when the store can't be opened now.
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  const scheme = url.slice(0, url.indexOf(":") + 1);
  switch (scheme) {
    case "sqlite:": {
      const path = url.slice(scheme.length);
      if (path !== ":memory:" && !isAbsolute(path)) {
        throw new Error(
          `The store's address "${url}" needs an absolute path: sqlite:/var/lib/parley/parley.db (STORE_URL)`,
        );
      }
      return openSqliteStore(path, options.sqlite);
    }
    case "mongodb:":
    case "mongodb+srv:": {
      // Only who uses it loads the driver: it takes a tenth of a second.
      const { openMongoStore } = await import("./mongodb/mongo-store.ts");
      return openMongoStore(url, options.mongodb);
    }
    default:
      throw new Error(
        `The store's address "${withoutSecrets(url)}" has an unknown scheme; known are ${known} (STORE_URL)`,
      );
  }
}

/** An address without its user and password, fit for a log. */
function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//…@");
}
