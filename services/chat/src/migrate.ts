/** Opens the store once, which makes what is missing in it, and ends: run before a new version's workers start. */
import { ConfigError } from "@parley/service-kit";
import { openStore } from "@parley/store";
import { readMigrateConfig } from "./config.ts";

try {
  const store = await openStore(readMigrateConfig().STORE_URL);
  await store.close();
  console.log("the store is as this version needs it");
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exitCode = 1;
}
